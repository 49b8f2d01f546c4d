/** Jobs that cannot run now: they wait again where they stood, and their ticket with them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ticket } from '../admission/tickets/ticket.ts';
import type { JobSpec } from '../core/job-spec.ts';
import type { RunOutcome } from './delivery.ts';
import { patiently } from './ending.ts';
import type { RunnerParts } from './run-parts.ts';
import type { RunningJob } from './running.ts';

export interface Later {
  readonly spec: JobSpec;
  readonly reason: string;
  /** Nothing of this tenant is picked for so long, in its line. */
  readonly parkMs?: number;
  /** This process picks nothing of the line for so long. */
  readonly pauseMs?: number;
}

/** Where nobody knows how long a job may live. */
const LIFE_MS = 3_600_000;
const LIFE_MS_MIN = 60_000;
const SLOT_PARK_MS_MAX = 2_000;
/** For a settlement on its way to Redis. */
const SETTLED_MS = 20;
const PARKED_MAX = 10_000;

type ReturnParts = Pick<RunnerParts, 'jobs' | 'tickets' | 'rooms' | 'wake' | 'wakeIn'>;

export class JobReturns {
  readonly #parts: ReturnParts;
  readonly #underWay = new Set<Promise<void>>();
  /** Tenants that were parked by this process, and until when, by line and name. */
  readonly #parked = new Map<string, number>();

  constructor(parts: ReturnParts) {
    this.#parts = parts;
  }

  /** The ticket keeps what it has reserved, for the next attempt; its slot is free. */
  async suspend({ jobId }: RunningJob, ticket: Ticket): Promise<void> {
    const { jobs, tickets } = this.#parts;
    const found = await jobs.find(jobId);
    const leftMs = found.ok && found.value ? found.value.expires_at_ms - Date.now() : LIFE_MS;
    await tickets.suspend(ticket, Math.max(LIFE_MS_MIN, leftMs));
  }

  /** The job waits again when BullMQ has forgotten it: handed over before that, it would be lost until it is overdue. */
  async later(running: RunningJob, { spec, parkMs, pauseMs }: Later): Promise<RunOutcome> {
    const { rooms } = this.#parts;
    if (pauseMs) rooms.pause(spec.line, pauseMs);
    if (parkMs !== undefined) await this.#park(spec, parkMs);
    return () => this.#follow(this.#return(running));
  }

  /**
   * A job of the tenant has ended here, and its slot is free: one that was refused for want of a slot need not wait for
   * the end of its time.
   */
  ended({ line, tenant }: JobSpec): void {
    const name = `${line} ${tenant}`;
    const untilMs = this.#parked.get(name);
    if (untilMs === undefined) return;
    this.#parked.delete(name);
    // Who waits for longer has been refused for other reasons.
    if (untilMs - performance.now() > SLOT_PARK_MS_MAX) return;
    const unpark = async () => {
      await sleep(SETTLED_MS);
      await this.#parts.jobs.park(line, tenant, 0);
      this.#parts.wake(line);
    };
    this.#follow(unpark());
  }

  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #park({ line, tenant }: JobSpec, forMs: number): Promise<void> {
    const nowMs = performance.now();
    if (this.#parked.size >= PARKED_MAX) {
      for (const [name, untilMs] of this.#parked) if (untilMs <= nowMs) this.#parked.delete(name);
    }
    if (this.#parked.size < PARKED_MAX) this.#parked.set(`${line} ${tenant}`, nowMs + forMs);
    await this.#parts.jobs.park(line, tenant, forMs);
    this.#parts.wakeIn(forMs, line);
  }

  #follow(work: Promise<void>): void {
    const followed = work.finally(() => this.#underWay.delete(followed));
    this.#underWay.add(followed);
  }

  /** What Redis does not hear of in time is found among those that are overdue. */
  async #return(running: RunningJob): Promise<void> {
    const { jobs } = this.#parts;
    try {
      await patiently(running, () => jobs.putBack(running.jobId, running.attempt));
    } catch {
      // As said.
    }
  }
}
