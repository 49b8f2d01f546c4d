/**
 * One run of a job, from its delivery to its end:
 *
 *     start ─▶ request ─▶ owner ─▶ a server? ─▶ ticket ─▶ call ─▶ answer stored ─▶ finish ─▶ settle
 *       │         │         │          │           │        │
 *       │         └ gone ───┴ refused ─│───────────│────────┴ 4xx, or the last try ─▶ failed
 *       │                              └ none ─────┴ not now ─▶ put back: no try is lost
 *       └ over already: settled from what is stored
 *
 * `start` gives the run a number, and only the newest may finish. Whoever finishes closes the ticket with what the call
 * has cost; all others leave it, or suspend it for the next. A run whose lock is lost does nothing more.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Call } from '../core/call.ts';
import { traceOf } from '../core/call-trace.ts';
import { errorTable, type Refusal, refusal } from '../core/errors.ts';
import type { JobSpec } from '../core/job-spec.ts';
import type { Principal } from '../core/principal.ts';
import type { ReadBody } from '../redis/packed-body.ts';
import { callServer, type JobCallEnd } from './call.ts';
import { type Delivery, type RunOutcome, TryAgain } from './delivery.ts';
import { type CalledRun, JobEnding, patiently } from './ending.ts';
import { LastTries } from './last-tries.ts';
import { JobPreparation, type PreparedJob } from './preparation.ts';
import { RequestMemory } from './request-memory.ts';
import { JobReturns } from './returns.ts';
import type { RunnerParts, RunReport } from './run-parts.ts';
import type { RunningJob, StopCause } from './running.ts';

export class JobRunner {
  readonly #parts: RunnerParts;
  readonly #ending: JobEnding;
  readonly #preparation: JobPreparation;
  readonly #returns: JobReturns;
  readonly #lastTries = new LastTries();
  readonly #memory: RequestMemory;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
    this.#ending = new JobEnding({ ...parts, resultMs: parts.config.result_seconds * 1_000 });
    this.#preparation = new JobPreparation(parts);
    this.#returns = new JobReturns(parts);
    this.#memory = new RequestMemory(parts.requestBytesMax);
  }

  /** For `startQueueWorker`. */
  async process({ jobId, deaths, signal }: Delivery): Promise<RunOutcome> {
    const running = this.#parts.running.begin(jobId, signal);
    const isLastTry = deaths > 0 && deaths + 1 >= this.#parts.config.attempts_max;
    try {
      return isLastTry ? await this.#runInTurn(running) : await this.#run(running);
    } finally {
      running.end();
    }
  }

  /** Waits for what is still to be given back, which takes some seconds at most. */
  settled(): Promise<void> {
    return this.#returns.settled();
  }

  async #runInTurn(running: RunningJob): Promise<RunOutcome> {
    const leave = await this.#lastTries.enter(running.signal);
    try {
      const cause = running.signal.reason as StopCause | undefined;
      return cause === 'shutdown' || cause === 'lock_lost' ? 'again' : await this.#run(running);
    } finally {
      leave();
    }
  }

  async #run(running: RunningJob): Promise<RunOutcome> {
    const { jobs, payloads, config } = this.#parts;
    const { jobId } = running;
    const begunAtMs = performance.now();
    const holder = randomUUID();
    const start = () => jobs.start(jobId, holder, config.attempts_max);
    let started = await patiently(running, start);
    while (started.verdict === 'tentative') {
      await pause(DOUBT_PAUSE_MS);
      started = await patiently(running, start);
    }
    const { verdict, attempt } = started;
    if (verdict === 'over' || verdict === 'exhausted') await this.#ending.settleEnded(running);
    if (verdict !== 'started') {
      if (verdict === 'exhausted') this.#report({ running, outcome: 'failed', reason: 'attempts_exhausted' });
      return 'done';
    }
    running.attempt = attempt;
    if (started.request) return await this.#runWith(running, started.request, begunAtMs);
    const leave = await this.#memory.enter(started.requestBytes ?? 0, running.signal);
    try {
      const request = await patiently(running, () => payloads.readRequest(jobId));
      return await this.#runWith(running, request, begunAtMs);
    } finally {
      leave();
    }
  }

  async #runWith(running: RunningJob, request: ReadBody, begunAtMs: number): Promise<RunOutcome> {
    const prepared = await this.#preparation.prepare(running, request);
    if (prepared.kind === 'fail') {
      const outcome = await this.#ending.failUnsent(running, prepared.refusal);
      this.#report({ running, outcome, reason: prepared.refusal.name, spec: prepared.spec });
      return 'done';
    }
    if (prepared.kind === 'later') {
      this.#report({ running, outcome: 'put_back', reason: prepared.reason, spec: prepared.spec });
      return this.#returns.later(running, prepared);
    }
    return await this.#call(running, prepared, begunAtMs);
  }

  async #call(running: RunningJob, prepared: PreparedJob, begunAtMs: number): Promise<RunOutcome> {
    const { spec, body, destination, principal, ticket } = prepared;
    const { payloads, config } = this.#parts;
    const call = callOf(spec, principal, body.length, begunAtMs);
    call.trace = traceOf(this.#parts.tracer, spec.traceparent, spec.tracestate);
    const end = await callServer(this.#parts, {
      ...{ spec, body, call, principal, destination, signal: running.signal },
      totalMsMax: config.run_seconds_max * 1_000,
      bytesMax: config.result_bytes_max,
      openStream: () =>
        payloads.pieces.begin(running.jobId, running.attempt, {
          lifetimeMs: config.result_seconds * 1_000,
          bytesMax: config.result_bytes_max,
        }),
    });
    const reservation = this.#preparation.reservation(spec, body, destination.prices);
    const run = { running, ticket, call, reservation, how: end.how, outlet: end.outlet };
    try {
      const outcome = await this.#conclude(run, spec, end);
      this.#returns.ended(spec);
      return outcome;
    } catch (error) {
      // Whatever went wrong, the next attempt takes the ticket over.
      end.outlet.stream?.abandon();
      await this.#returns.suspend(running, ticket);
      throw error;
    }
  }

  async #conclude(run: CalledRun, spec: JobSpec, { how }: JobCallEnd): Promise<RunOutcome> {
    const { running, call, ticket } = run;
    const cause = running.signal.reason as StopCause | undefined;
    const report = (outcome: RunReport['outcome'], reason: string) =>
      this.#report({ running, outcome, reason, spec, call });
    if (cause === 'lock_lost' || cause === 'superseded') {
      run.outlet.stream?.abandon();
      this.#parts.tickets.leave(ticket);
      report('left', cause);
      return 'done';
    }
    if (how === 'finished') {
      report(await this.#ending.complete(run), '');
      return 'done';
    }
    if (cause === 'ended') {
      await this.#ending.stopped(run);
      report('stopped', cause);
      return 'done';
    }
    if (cause === 'shutdown') return this.#putBack(run, spec, cause);
    const refused = call.refusal ?? brokenOff;
    if (refused.name === 'upstream_unavailable' || refused.name === 'overloaded') {
      return this.#putBack(run, spec, refused.name);
    }
    if (!(await this.#isFinal(run, refused))) {
      report('tried_again', refused.name);
      throw new TryAgain(refused.message);
    }
    report(await this.#ending.fail(run, refused), refused.name);
    return 'done';
  }

  async #putBack({ running, ticket, outlet, call }: CalledRun, spec: JobSpec, reason: string) {
    outlet.stream?.abandon();
    await this.#returns.suspend(running, ticket);
    this.#report({ running, outcome: 'put_back', reason, spec, call });
    return this.#returns.later(running, { spec, reason, pauseMs: reason === 'shutdown' ? 0 : PAUSE_MS });
  }

  /** What the server refuses it refuses again; its own failures are tried again. */
  async #isFinal({ running, outlet }: CalledRun, refused: Refusal): Promise<boolean> {
    const { jobs, config } = this.#parts;
    const { blame } = errorTable[refused.name];
    if (outlet.isTooLong || blame === 'client') return true;
    return (await patiently(running, () => jobs.tries(running.jobId))) >= config.attempts_max;
  }

  #report(report: Omit<RunReport, 'jobId' | 'attempt'> & { running: RunningJob }): void {
    const { running, ...rest } = report;
    this.#parts.onRun({ jobId: running.jobId, attempt: running.attempt, ...rest });
  }
}

/** While the acceptance of a job is in doubt, which ends by itself after two seconds. */
const DOUBT_PAUSE_MS = 100;

/** After a server said that it takes nothing. */
const PAUSE_MS = 1_000;

const brokenOff = refusal('internal_error', 'The run of the job was broken off.');

function callOf(spec: JobSpec, principal: Principal, bytesIn: number, startedAtMs: number): Call {
  const { request_id: requestId, method, path: route, model, version } = spec;
  const call = new Call({ requestId, method, route, clientAddress: '', startedAtMs });
  call.principal = principal;
  call.model = model;
  call.version = version ?? undefined;
  call.bytesIn = bytesIn;
  return call;
}
