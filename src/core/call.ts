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

  /** Where it stands among the calls that have not ended. */
  slot = -1;
  principal: Principal | undefined = undefined;
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
  attempts = 0;
  usage: Usage | undefined = undefined;
  /** Of all GPUs of the server, this call's part of the time that it was worked on. */
  gpuMs = 0;

  /**
   * Closes the ticket of a call that was admitted. Called when the GPU server is done with it, and again when the
   * response has closed; the first time counts.
   */
  settle: ((how: CallEnd) => void) | undefined = undefined;
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
