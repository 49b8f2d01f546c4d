/**
 * Takes out what is over, so that nothing of jobs grows for ever. The workers do it in turn, in bounded steps:
 *
 *     due ──▶ expired, or its caller has gone: the job ends        unrun ──▶ its ticket is open: it is given back
 *        └──▶ over for long enough: its record goes                    └──▶ its ticket is closed: the note of it goes
 *
 * Payloads and answers expire by themselves. Redis leaves a note of each job that ends before it ran, whoever ended it,
 * so a ticket is given back also when he who was to do it has died; the note goes once that is seen to be done.
 */
import type { JobTickets } from '../admission/jobs/job-tickets.ts';
import type { JobTable } from '../redis/job-table.ts';
import type { JobUpkeep, UnrunJob } from '../redis/job-upkeep.ts';
import type { Logger } from '../telemetry/log.ts';

interface SweeperParts {
  readonly table: Pick<JobTable, 'sweep'>;
  readonly upkeep: Pick<JobUpkeep, 'claimSweep' | 'unrun' | 'forgetUnrun'>;
  readonly tickets: Pick<JobTickets, 'isOpen' | 'release'>;
  readonly log: Logger;
  readonly everyMs?: number;
}

const EVERY_MS = 2_000;
/** Each step holds up Redis for a millisecond or two. */
const JOBS_AT_ONCE = 100;
const TICKETS_AT_ONCE = 100;
/** In one turn; what is left comes in the next. */
const STEPS_MAX = 100;

export class JobSweeper {
  readonly #parts: SweeperParts;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#turn;
  }

  /** With jitter, so that workers that started together do not ask together. */
  #schedule(): void {
    const { everyMs = EVERY_MS } = this.#parts;
    this.#timer = setTimeout(
      () => {
        this.#turn = this.#sweepInTurn().finally(() => {
          if (!this.#stopped) this.#schedule();
        });
      },
      everyMs * (0.75 + Math.random() / 2),
    ).unref();
  }

  async #sweepInTurn(): Promise<void> {
    const { upkeep, log, everyMs = EVERY_MS } = this.#parts;
    try {
      const mine = await upkeep.claimSweep(Math.ceil(everyMs * 0.7));
      if (!mine.ok || !mine.value) return;
      await this.#sweepJobs();
      await this.#giveBackTickets();
    } catch (error) {
      log.error({ cause: String(error) }, 'a sweep of jobs has failed');
    }
  }

  async #sweepJobs(): Promise<void> {
    let expired = 0;
    for (let step = 0; step < STEPS_MAX && !this.#stopped; step += 1) {
      const swept = await this.#parts.table.sweep(JOBS_AT_ONCE);
      if (!swept.ok) break;
      expired += swept.value.expired;
      if (swept.value.expired + swept.value.forgotten < JOBS_AT_ONCE) break;
    }
    if (expired > 0) this.#parts.log.info({ count: expired }, 'the time of jobs was over before they ended');
  }

  /** Those that are still open are given back now, and looked at again in the next turn. */
  async #giveBackTickets(): Promise<void> {
    const { upkeep } = this.#parts;
    for (let step = 0; step < STEPS_MAX && !this.#stopped; step += 1) {
      const unrun = await upkeep.unrun(TICKETS_AT_ONCE);
      if (!unrun.ok || unrun.value.length === 0) return;
      const closed = await this.#closedOf(unrun.value);
      const forgotten = await upkeep.forgetUnrun(closed);
      if (!forgotten.ok || closed.length < TICKETS_AT_ONCE) return;
    }
  }

  async #closedOf(jobs: readonly UnrunJob[]): Promise<readonly UnrunJob[]> {
    const { tickets } = this.#parts;
    const areOpen = await Promise.all(jobs.map(({ tenant, id }) => tickets.isOpen(tenant, id)));
    for (const [at, { tenant, keyId, model, id }] of jobs.entries()) {
      if (areOpen[at]) tickets.release(tenant, keyId, model, id);
    }
    return jobs.filter((_, at) => areOpen[at] === false);
  }
}
