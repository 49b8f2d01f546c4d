import type { WayIn } from './access.ts';
import type { AttemptFailure } from './attempt-failure.ts';
import type { CallSignature } from './call-signature.ts';
import type { CallTrace } from './call-trace.ts';
import { type Blame, errorTable, type Refusal } from './errors.ts';
import type { Principal } from './principal.ts';
import type { Standing } from './standing.ts';
import type { Usage } from './usage.ts';

/** How a call ended. A closed set: it is a metric label. */
export type Outcome =
  /** The whole answer went out, be it the server's 4xx. */
  | 'completed'
  /** The gateway answered with an error of its own; `refusal` has it. */
  | 'refused'
  /** The caller left before the end. */
  | 'client_gone'
  /** The answer had begun and could not be finished; `refusal` says why. */
  | 'broken';

const none: readonly string[] = Object.freeze([]);
/** Names have up to 128 characters, and many clients take no more than 16 KB of headers. */
const TRIED_SHOWN_MAX = 16;

/**
 * Where an answer came from. A closed set: it is a metric label. `shared`: from another caller's upstream call; `job`:
 * from the job that was made of the call, by a worker.
 */
export type AnsweredFrom = 'upstream' | 'shared' | 'cache' | 'job';

/** What the headers of an answer say of the stores that were asked for it. */
export interface StoredMark {
  /** Undefined: the model has no cache. */
  readonly cache: 'hit' | 'miss' | 'bypass' | undefined;
  /** Of an answer from the cache. */
  readonly ageSeconds: number | undefined;
  /** It was the answer to an earlier request with the same Idempotency-Key. */
  readonly isReplayed: boolean;
}

/** `unsent`: it never went to a GPU server. */
export type CallEnd = 'finished' | 'failed' | 'client_gone' | 'unsent';

/**
 * One request on its way through the gateway: what is known of it so far. Every step writes down what it finds
 * out; the log line and the metrics are made from it when the response has closed.
 *
 * Times are milliseconds of `performance.now()`; 0: has not happened.
 */
export class Call {
  readonly requestId: string;
  readonly method: string;
  /** The route's pattern, or `unknown`: never a path that a client made up. */
  readonly route: string;
  readonly clientAddress: string;
  readonly startedAtMs: number;

  /** Undefined: nobody traces it. */
  trace: CallTrace | undefined = undefined;
  /** Where it stands among the calls that have not ended. */
  slot = -1;
  principal: Principal | undefined = undefined;
  way: WayIn = 'key';
  /** Set where the caller has signed. */
  signature: CallSignature | undefined = undefined;
  /** Public name from the configuration. */
  model: string | undefined = undefined;
  /** Of the model, from the configuration. */
  version: string | undefined = undefined;
  upstream: string | undefined = undefined;
  streamed = false;

  /** When the request went to the GPU server. */
  forwardedAtMs = 0;
  /** First byte of the answer's body. */
  firstByteAtMs = 0;
  /** The GPU server has finished, well or not. */
  upstreamEndedAtMs = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Of the bytes that went out, those that the gateway itself put into the answer. */
  addedBytes = 0;
  attempts = 0;
  #failedAttempts: string[] | undefined = undefined;
  answeredFrom: AnsweredFrom = 'upstream';
  stored: StoredMark | undefined = undefined;
  /** Set where a job was made of the call: its id. */
  job: string | undefined = undefined;
  /** The job is there because of this call; else it was there before. */
  isNewJob = false;
  /** Of the header `Prefer`, what was heeded. */
  preference: string | undefined = undefined;
  usage: Usage | undefined = undefined;
  /** Of all GPUs of the server, this call's part of the time that it was worked on. */
  gpuMs = 0;

  /**
   * Closes the ticket of a call that was admitted. Called when the GPU server is done with it, and again when the
   * response has closed; the first time counts. Whoever shares the upstream call with others takes it away and calls
   * it with the record of that call.
   */
  settle: ((how: CallEnd, record?: Call) => void) | undefined = undefined;
  /** Set while this one pays for an upstream call that may outlast it: what is to be done when that is over. */
  whenOver: ((act: () => void) => void) | undefined = undefined;
  /** In the record of a shared upstream call: who pays for it has left before its end. */
  unheard = false;
  /** Without Redis, which has been waited for. */
  isAdmittedLocally = false;
  /** Once it has reached admission: what the headers say. */
  standing: Standing | undefined = undefined;

  status = 0;
  refusal: Refusal | undefined = undefined;
  /** Where the answer had begun, so that the error could not become the status. */
  broken = false;

  constructor(start: {
    requestId: string;
    method: string;
    route: string;
    clientAddress: string;
    startedAtMs: number;
  }) {
    this.requestId = start.requestId;
    this.method = start.method;
    this.route = start.route;
    this.clientAddress = start.clientAddress;
    this.startedAtMs = start.startedAtMs;
  }

  /** What an upstream call did that was made for this call and for others. */
  adopt(record: Call): void {
    this.forwardedAtMs = record.forwardedAtMs;
    this.attempts = record.attempts;
    this.#failedAttempts = record.#failedAttempts;
    this.upstream = record.upstream;
    this.upstreamEndedAtMs = record.upstreamEndedAtMs;
    this.gpuMs = record.gpuMs;
    this.usage = record.usage;
  }

  /** The attempt that was begun last came to nothing. Of several reasons for one attempt the first counts. */
  attemptFailed(what: AttemptFailure): void {
    const failed = this.#failedAttempts ?? [];
    if (failed.length >= this.attempts) return;
    failed.push(`${this.upstream} ${what}`);
    this.#failedAttempts = failed;
    this.trace?.attemptFailed(what);
  }

  /** In order, the name of the server and what became of the attempt: `gpu-1 connect`. */
  get failedAttempts(): readonly string[] {
    return this.#failedAttempts ?? none;
  }

  /**
   * The servers that were asked, in order, and what each of them said: `gpu-1 connect, gpu-2 502, gpu-3 200`. The last
   * 16 where there are more; `given_up`: it might have answered. Undefined: none was asked.
   * @param status of the answer; 0: there is none
   */
  tried(status: number): string | undefined {
    if (this.attempts === 0) return undefined;
    const failed = this.#failedAttempts ?? [];
    if (failed.length >= this.attempts) return failed.slice(-TRIED_SHOWN_MAX).join(', ');
    const last = `${this.upstream} ${status === 0 || status >= 500 ? 'given_up' : status}`;
    return [...failed.slice(1 - TRIED_SHOWN_MAX), last].join(', ');
  }

  outcome(finished: boolean): Outcome {
    if (this.broken) return 'broken';
    if (!finished) return 'client_gone';
    return this.refusal ? 'refused' : 'completed';
  }

  blame(): Blame | undefined {
    return this.refusal && errorTable[this.refusal.name].blame;
  }

  /** Time that the gateway itself took: all of it, less the time for which the GPU server was waited for. */
  gatewayMs(endedAtMs: number): number {
    const waitedMs = this.forwardedAtMs > 0 ? (this.upstreamEndedAtMs || endedAtMs) - this.forwardedAtMs : 0;
    return endedAtMs - this.startedAtMs - waitedMs;
  }
}
