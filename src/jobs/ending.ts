/** How a run ends: its answer is stored, the record of the job says so, and then its ticket is closed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Estimator } from '../admission/estimate/estimator.ts';
import type { JobTickets } from '../admission/jobs/job-tickets.ts';
import { type Reservation, settlementOf } from '../admission/settlement.ts';
import type { Ticket } from '../admission/tickets/ticket.ts';
import type { Call, CallEnd } from '../core/call.ts';
import { errorBody, errorTable, type Refusal } from '../core/errors.ts';
import type { JobRecord } from '../core/job.ts';
import { encodeJobAnswer, readJobUsage, usageOfSettlement } from '../core/job-answer.ts';
import type { Settlement } from '../core/ticket.ts';
import type { Answer } from '../redis/connection.ts';
import type { JobEnd, JobTable } from '../redis/job-table.ts';
import { type PackedBody, packSmall } from '../redis/packed-body.ts';
import type { PayloadTable } from '../redis/payload-table.ts';
import { TryAgain } from './delivery.ts';
import type { JobOutlet } from './job-outlet.ts';
import type { RunningJob, StopCause } from './running.ts';

interface EndingParts {
  readonly jobs: Pick<JobTable, 'finish' | 'find'>;
  readonly payloads: Pick<PayloadTable, 'writeResult' | 'keepRequest' | 'dropRequest'>;
  readonly tickets: Pick<JobTickets, 'close' | 'leave'>;
  readonly estimator: Estimator;
  readonly resultMs: number;
}

/** A run that has got as far as its call. */
export interface CalledRun {
  readonly running: RunningJob;
  readonly ticket: Ticket;
  readonly call: Call;
  readonly how: CallEnd;
  readonly reservation: Reservation;
  readonly outlet: JobOutlet;
}

/** What the end of a run did. `left`: the job has ended otherwise, or another attempt has it. */
export type Ended = 'completed' | 'failed' | 'left';

const STREAM_CLOSE_MS = 3_000;
const PATIENCE_MS = 3_000;
const PAUSE_MS = 100;

export class JobEnding {
  readonly #parts: EndingParts;

  constructor(parts: EndingParts) {
    this.#parts = parts;
  }

  /** @throws TryAgain where the answer cannot be stored; the ticket is still held then */
  async complete(run: CalledRun): Promise<Ended> {
    const { running, outlet } = run;
    if (outlet.stream) {
      const closed = await outlet.stream.close(STREAM_CLOSE_MS);
      if (!closed.ok) throw new TryAgain('the end of the stream cannot be stored');
    } else {
      const { status, contentType: content_type, body } = outlet;
      const upstream = run.call.upstream ?? null;
      const answer = encodeJobAnswer({ status, content_type, upstream }, body);
      const packed = packSmall(answer);
      if (packed) return this.#completeAtOnce(run, packed);
      await this.#store(running, answer);
    }
    if (!(await this.#finish(run, { status: 'completed' }))) return 'left';
    // Where Redis does not hear it, its lifetime ends it.
    await this.#parts.payloads.dropRequest(running.jobId);
    return 'completed';
  }

  /** Stores a small answer, ends the job and takes its request out in one step. */
  async #completeAtOnce(run: CalledRun, packed: PackedBody): Promise<Ended> {
    const answer = { packed, lifetimeMs: this.#parts.resultMs };
    return (await this.#finish(run, { status: 'completed', answer })) ? 'completed' : 'left';
  }

  /** The answer is the error. */
  async fail(run: CalledRun, refused: Refusal): Promise<Ended> {
    await run.outlet.stream?.close(STREAM_CLOSE_MS);
    await this.#storeError(run.running, refused, run.call.upstream ?? null);
    if (!(await this.#finish(run, endOf(refused)))) return 'left';
    // As long as the failure is shown it can be tried again.
    await this.#parts.payloads.keepRequest(run.running.jobId, this.#parts.resultMs);
    return 'failed';
  }

  /** It was cancelled or has expired while it ran; what it has cost until then is charged. */
  async stopped(run: CalledRun): Promise<void> {
    run.outlet.stream?.abandon();
    await this.#finish(run, { status: 'failed', code: 'cancelled', message: '' });
  }

  /** Before it had a ticket: what was reserved for it is given back. */
  async failUnsent(running: RunningJob, refused: Refusal): Promise<Ended> {
    const { jobs } = this.#parts;
    await this.#storeError(running, refused, null);
    const used = { cost: 0, usage: undefined };
    const finished = await patiently(running, () =>
      jobs.finish(running.jobId, running.attempt, endOf(refused), used),
    );
    if (finished.verdict !== 'finished') return 'left';
    await this.settleEnded(running);
    return 'failed';
  }

  /** A job that has ended, by whomsoever, perhaps without having been settled. Settling it again does nothing. */
  async settleEnded(running: RunningJob): Promise<void> {
    const { jobs, tickets } = this.#parts;
    const record = await patiently(running, () => jobs.find(running.jobId));
    if (!record) return;
    const { tenant, key_id: keyId, model, id: jobId } = record;
    tickets.close({ tenant, keyId, model, jobId }, settlementFrom(record));
  }

  /** False: this attempt does not count. */
  async #finish(run: CalledRun, end: JobEnd): Promise<boolean> {
    const { jobs, tickets, estimator } = this.#parts;
    const { running, ticket, call, how, reservation } = run;
    const settlement = settlementOf(call, how, reservation, estimator, ticket.reserved);
    const cost = settlement ? settlement.spent.inputTokens + settlement.spent.outputTokens : 0;
    const usage = settlement && JSON.stringify(usageOfSettlement(settlement));
    const finished = await patiently(running, () =>
      jobs.finish(running.jobId, running.attempt, end, { cost, usage }),
    );
    const isOurs = finished.verdict !== 'superseded' && finished.attempt === running.attempt;
    // Cancelled in its last moment, or forgotten: it has cost what it has cost.
    if (isOurs || finished.verdict === 'absent') ticket.close(settlement);
    else tickets.leave(ticket);
    return finished.verdict === 'finished';
  }

  async #store(running: RunningJob, answer: Buffer): Promise<void> {
    const { payloads, resultMs } = this.#parts;
    const { jobId, attempt } = running;
    const written = await patiently(running, () => payloads.writeResult(jobId, attempt, answer, resultMs));
    if (typeof written === 'string') throw new TryAgain(`the answer cannot be stored: ${written}`);
  }

  /** Without it the record still says what was wrong. */
  async #storeError(
    { jobId, attempt }: RunningJob,
    refused: Refusal,
    upstream: string | null,
  ): Promise<void> {
    const head = { status: refused.status, content_type: 'application/json; charset=utf-8', upstream };
    const answer = encodeJobAnswer(head, [Buffer.from(errorBody(refused))]);
    await this.#parts.payloads.writeResult(jobId, attempt, answer, this.#parts.resultMs);
  }
}

function endOf(refused: Refusal): JobEnd {
  return { status: 'failed', code: errorTable[refused.name].code, message: refused.message };
}

/** Undefined: it has cost nothing. */
function settlementFrom(record: JobRecord): Settlement | undefined {
  const usage = readJobUsage(record.usage);
  if (!usage) return undefined;
  return {
    spent: {
      requests: usage.requests,
      inputTokens: usage.input_tokens,
      outputTokens: usage.output_tokens,
      images: usage.images,
      gpuMs: usage.gpu_ms,
      costNano: usage.cost_nano,
    },
    cachedTokens: usage.cached_tokens,
    status: usage.status,
    route: usage.route,
    requestId: usage.request_id,
    durationMs: usage.duration_ms,
  };
}

/** Asks until Redis answers, as long as the run has the right to. @throws TryAgain after some seconds, or without it */
export async function patiently<T>({ signal }: RunningJob, ask: () => Promise<Answer<T>>): Promise<T> {
  const limitAtMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer.ok) return answer.value;
    const cause = signal.reason as StopCause | undefined;
    const mayGoOn = cause === undefined || cause === 'ended' || cause === 'shutdown';
    if (!mayGoOn || performance.now() > limitAtMs) throw new TryAgain('Redis does not answer');
    await sleep(PAUSE_MS);
  }
}
