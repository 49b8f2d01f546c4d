/**
 * Whether one GPU server may have calls: a circuit breaker that hears of calls and of probes.
 *
 * It opens (the server is ejected) after five failures of calls in a row, after two failed probes in a row, or when
 * the server is far slower than its peers. Open, it stays so for five seconds, and for twice as long with every
 * ejection that follows soon, up to a minute; where probes have opened it, up to eight seconds, because they will
 * also see the server healed, and nothing should keep it away then. After that time a probe that is answered lets
 * trial calls through, one at a time. Two successes close it; a failure costs another five seconds, and no more,
 * since a single call every five seconds is what it costs to learn at once that the server works again. A server that
 * has returned takes ten seconds to come to its full weight: its caches are cold.
 *
 * Every ejection begins an epoch. A call carries the epoch that it began in, so what was sent before an ejection and
 * fails after it says nothing about the trials.
 *
 * Pure: the clock is an argument, in milliseconds, monotonic.
 */
import { Hold } from './hold.ts';
import { LatenciesByModel } from './latencies.ts';

/**
 * `down`: its probes fail, or it was never asked. `ejected`: it answers probes, and calls have failed.
 * `trial`: one call at a time may try it. `draining`: an operator wants no new calls there.
 */
export type ServerState = 'up' | 'ejected' | 'trial' | 'down' | 'draining';

/** What the probes say. `unreachable`: no answer at all, `unhealthy`: an answer that is not well. */
export type Health = 'healthy' | 'unhealthy' | 'unreachable';

/** Of a call, before or behind its first byte, as far as the server is to blame. */
export type FailureKind = 'status' | 'reset' | 'connect' | 'timeout';

/** `refused`: nobody listens, or he breaks off. `no_answer`: somebody may, and says nothing within the limit. */
export type ProbeResult = 'ok' | 'bad' | 'refused' | 'no_answer';

/** A metric label. `slow`: far slower than its peers. The last three are what probes have seen. */
export type EjectionReason = 'errors' | 'slow' | 'unhealthy' | 'unreachable' | 'frozen';

export interface LastFailure {
  readonly kind: FailureKind;
  readonly atMs: number;
}

const FAILURES_IN_A_ROW = 5;
const FAILED_PROBES_IN_A_ROW = 2;
const TRIAL_SUCCESSES = 2;
/** A trial that says nothing for so long makes room for the next one. */
const TRIAL_LIMIT_MS = 10_000;
const SLOW_START_MS = 10_000;
const SLOW_START_FROM = 0.1;
const NEVER = Number.NEGATIVE_INFINITY;

export class ServerHealth {
  /** What the probes last agreed on. */
  health: Health = 'unreachable';
  /** Since the beginning. */
  readonly ejections: Record<EjectionReason, number> = {
    errors: 0,
    slow: 0,
    unhealthy: 0,
    unreachable: 0,
    frozen: 0,
  };
  /** Since its last ejection. */
  readonly latencies = new LatenciesByModel();
  lastFailure: LastFailure | undefined = undefined;
  lastReason: EjectionReason | undefined = undefined;

  #closed = false;
  /** A probe has been answered well, ever. */
  #known = false;
  #draining = false;
  #epoch = 0;
  #failures = 0;
  #failedProbes = 0;
  #silentProbes = 0;
  #successes = 0;
  readonly #hold = new Hold();
  #probedWellSinceMs = NEVER;
  #trialAtMs = NEVER;
  #returnedAtMs = NEVER;

  state(nowMs: number): ServerState {
    if (this.#draining) return 'draining';
    if (this.#closed) return 'up';
    if (this.health !== 'healthy') return 'down';
    return nowMs < this.#hold.untilMs ? 'ejected' : 'trial';
  }

  isUsable(nowMs: number): boolean {
    const state = this.state(nowMs);
    return state === 'up' || (state === 'trial' && nowMs - this.#trialAtMs >= TRIAL_LIMIT_MS);
  }

  /** From 0.1, on the return, to 1. A trial that does not come about gains weight too, so that it comes at last. */
  weightFactor(nowMs: number): number {
    const state = this.state(nowMs);
    if (state !== 'up' && state !== 'trial') return 1;
    const sinceMs =
      state === 'up' ? this.#returnedAtMs : Math.max(this.#hold.untilMs, this.#probedWellSinceMs);
    const share = Math.max(0, (nowMs - sinceMs) / SLOW_START_MS);
    return share >= 1 ? 1 : SLOW_START_FROM + (1 - SLOW_START_FROM) * share;
  }

  // --- calls ---

  /**
   * A call is sent to the server. Its epoch goes back with what becomes of it: once `succeeded` or `abandoned` where
   * nothing is known yet, and `failed` whenever the server fails it, a begun answer included.
   */
  began(nowMs: number): number {
    if (!this.#closed && this.state(nowMs) === 'trial') this.#trialAtMs = nowMs;
    return this.#epoch;
  }

  /**
   * The first byte of an answer has come that is no fault of the server.
   * @param firstByteMs of an answer that is comparable to others of this model: a stream
   */
  succeeded(epoch: number, nowMs: number, model?: string, firstByteMs?: number): void {
    if (epoch !== this.#epoch) return;
    this.#failures = 0;
    if (this.#closed) {
      if (model !== undefined && firstByteMs !== undefined) this.latencies.add(model, firstByteMs, nowMs);
      return;
    }
    this.#trialAtMs = NEVER;
    this.#successes += 1;
    // Before its time is over this happens only where no other server was left.
    if (this.#successes >= TRIAL_SUCCESSES && this.health === 'healthy') this.#return(nowMs);
  }

  failed(epoch: number, kind: FailureKind, nowMs: number): void {
    this.lastFailure = { kind, atMs: nowMs };
    if (epoch !== this.#epoch) return;
    if (this.#closed) {
      this.#failures += 1;
      if (this.#failures >= FAILURES_IN_A_ROW) this.#eject('errors', nowMs);
      return;
    }
    this.#successes = 0;
    this.#trialAtMs = NEVER;
    if (this.state(nowMs) === 'trial') this.#hold.prolong(nowMs);
  }

  /** The caller has left before the server said anything. */
  abandoned(epoch: number): void {
    if (epoch === this.#epoch) this.#trialAtMs = NEVER;
  }

  // --- probes ---

  /** True when this is the probe that shows the server frozen: what waits there will wait in vain. */
  probed(result: ProbeResult, nowMs: number): boolean {
    this.#silentProbes = result === 'no_answer' ? this.#silentProbes + 1 : 0;
    if (result === 'ok') {
      this.#probedWell(nowMs);
      return false;
    }
    this.#failedProbes += 1;
    if (this.#failedProbes >= FAILED_PROBES_IN_A_ROW || this.health !== 'healthy') {
      this.health = result === 'bad' ? 'unhealthy' : 'unreachable';
      if (this.#closed) this.#eject(reasonOf(result), nowMs);
    }
    return this.#silentProbes === FAILED_PROBES_IN_A_ROW;
  }

  #probedWell(nowMs: number): void {
    this.#failedProbes = 0;
    if (this.health === 'healthy') return;
    this.health = 'healthy';
    this.#probedWellSinceMs = nowMs;
    this.#trialAtMs = NEVER;
    this.#successes = 0;
    // A server that has just been met has nothing to make good.
    if (!this.#known) this.#closed = true;
    this.#known = true;
  }

  // --- the rest ---

  /** @param isDraining no new calls, not even where it is the last; those that run may end */
  setDraining(isDraining: boolean, nowMs: number): void {
    if (this.#draining && !isDraining && this.#closed) this.#returnedAtMs = nowMs;
    this.#draining = isDraining;
  }

  /** It is far slower than its peers. */
  ejectAsSlow(nowMs: number): void {
    if (this.#closed) this.#eject('slow', nowMs);
  }

  #eject(reason: EjectionReason, nowMs: number): void {
    this.#hold.begin(reason !== 'errors' && reason !== 'slow', this.#returnedAtMs, nowMs);
    this.#closed = false;
    this.#epoch += 1;
    this.#failures = 0;
    this.#successes = 0;
    this.#trialAtMs = NEVER;
    this.latencies.clear();
    this.ejections[reason] += 1;
    this.lastReason = reason;
  }

  #return(nowMs: number): void {
    this.#closed = true;
    this.#failures = 0;
    this.#returnedAtMs = nowMs;
  }
}

function reasonOf(result: Exclude<ProbeResult, 'ok'>): EjectionReason {
  if (result === 'bad') return 'unhealthy';
  return result === 'refused' ? 'unreachable' : 'frozen';
}
