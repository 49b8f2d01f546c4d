/** Random steps against the scripts and the model, and the first difference between the two. */
import { isDeepStrictEqual } from 'node:util';
import type { Answer } from '../../../src/redis/connection.ts';
import type { JobEnd, NewJob } from '../../../src/redis/job-table.ts';
import { type Dice, diceOf } from '../tickets/random-steps.ts';
import { BEGIN_MS, type Ground, got, jobOf } from './ground.ts';
import { differencesOfState } from './redis-state.ts';
import { ReferenceModel } from './reference-model.ts';

export interface RunReport {
  /** What was said how often. */
  readonly counts: ReadonlyMap<string, number>;
  readonly difference: string | undefined;
}

const CHUNK = 100;
const bounds = { tenantJobsMax: 12, tenantBytesMax: 700, jobsMax: 40, bytesMax: 2_300 };
const tenants = ['acme', 'bolt', 'coil', 'dune'] as const;
const lines = ['llama', 'org/m:2'] as const;
const ends: readonly [JobEnd, JobEnd] = [
  { status: 'completed' },
  { status: 'failed', code: 'upstream_failed', message: 'It said no.' },
];

/** Redis has to be empty. */
export async function randomRun(ground: Ground, seed: number, steps: number): Promise<RunReport> {
  const run = new RandomRun(ground, seed);
  for (let done = 0; done < steps; done += CHUNK) {
    for (let step = 0; step < CHUNK; step += 1) run.step();
    const difference = await run.compare();
    if (difference !== undefined) return { counts: run.counts, difference };
  }
  return { counts: run.counts, difference: undefined };
}

class RandomRun {
  readonly counts = new Map<string, number>();
  readonly #model = new ReferenceModel(BEGIN_MS);
  readonly #ground: Ground;
  readonly #dice: Dice;
  #pending: Promise<string | undefined>[] = [];
  #steps = 0;
  #jobs = 0;

  constructor(ground: Ground, seed: number) {
    this.#ground = ground;
    this.#dice = diceOf(seed);
  }

  step(): void {
    const kind = this.#dice.below(1_000);
    if (kind < 260) this.#accept();
    else if (kind < 400) this.#pick();
    else if (kind < 460) this.#park();
    else if (kind < 600) this.#start();
    else if (kind < 680) this.#putBack();
    else if (kind < 820) this.#finish();
    else if (kind < 860) this.#cancel();
    else if (kind < 890) this.#sweep(this.#dice.pick([1, 3, 50]));
    else if (kind < 895) this.#rest();
    else this.#moveTime();
  }

  #accept(): void {
    const dice = this.#dice;
    const { nowMs, job } = { nowMs: this.#model.now(), job: this.#newJob() };
    const lastMomentMs = nowMs + (dice.chance(0.05) ? -1 : dice.below(500));
    const expected = this.#model.accept(job, bounds, lastMomentMs);
    this.#expect('accept', expected, this.#ground.table.accept(job, bounds, lastMomentMs));
  }

  #newJob(): NewJob {
    const dice = this.#dice;
    this.#jobs += 1;
    const digest = `k${dice.below(12)}`;
    return jobOf(dice.chance(0.05) ? this.#anyId() : `job_${this.#jobs}`, {
      tenant: dice.pick(tenants),
      line: dice.pick(lines),
      priority: dice.pick([0, 4, 4, 4, 9]),
      cost: 100 + dice.below(dice.pick([100, 5_000])),
      weight: dice.pick([1, 1, 3, 0.7]),
      bytes: dice.below(120),
      once: dice.chance(0.3)
        ? { digest, bodyDigest: dice.pick(['b1', 'b1', 'b2']), keptMs: 1e12 }
        : undefined,
      expiresInMs: dice.pick([2_000, 100_000, 600_000]),
      keptMs: dice.pick([1_000, 60_000]),
    });
  }

  #pick(): void {
    const [line, count] = [this.#dice.pick(lines), this.#dice.below(5)];
    const answer = this.#ground.table.pick(line, count).then((picked) => ({
      ok: true as const,
      value: got(picked).map(({ id }) => id),
    }));
    this.#expect('pick', this.#model.pick(line, count), answer);
  }

  #park(): void {
    const [line, tenant] = [this.#dice.pick(lines), this.#dice.pick(tenants)];
    const forMs = this.#dice.pick([0, 500, 20_000]);
    this.#expect('park', this.#model.park(line, tenant, forMs), this.#ground.table.park(line, tenant, forMs));
  }

  #start(): void {
    const [id, holder] = [this.#anyId('handed'), this.#dice.pick(['w1', 'w2', 'w3'])];
    this.#expect('start', this.#model.start(id, holder, 3), this.#ground.table.start(id, holder, 3));
  }

  #putBack(): void {
    const id = this.#anyId('handed');
    const attempt = this.#dice.chance(0.4) ? 0 : this.#attemptOf(id);
    this.#expect('put back', this.#model.putBack(id, attempt), this.#ground.table.putBack(id, attempt));
  }

  #finish(): void {
    const id = this.#anyId(this.#dice.chance(0.8) ? 'handed' : undefined);
    const attempt = this.#attemptOf(id);
    const end = this.#dice.pick(ends);
    const cost = this.#dice.chance(0.3) ? undefined : 100 + this.#dice.below(9_000);
    const usage = `{"total_tokens":${this.#dice.below(99)}}`;
    const expected = this.#model.finish(id, attempt, end.status, cost, usage);
    this.#expect('finish', expected, this.#ground.table.finish(id, attempt, end, { cost, usage }));
  }

  #cancel(): void {
    const id = this.#anyId();
    const tenant = this.#dice.chance(0.4) ? undefined : this.#dice.pick(tenants);
    const isForgotten = this.#dice.chance(0.3);
    const { table } = this.#ground;
    const answer = isForgotten ? table.forget(id, tenant) : table.cancel(id, tenant, 'caller');
    this.#expect('cancel', this.#model.cancel(id, tenant, isForgotten), answer);
  }

  /** So long that every job has expired: a busy period ends. */
  #rest(): void {
    this.#setTime(this.#model.timeMs + 700_000);
    this.#sweep(bounds.jobsMax * 2);
  }

  #sweep(countMax: number): void {
    this.#expect('sweep', this.#model.sweep(countMax), this.#ground.table.sweep(countMax));
  }

  /** Mostly a little, now and then back. */
  #moveTime(): void {
    const by = this.#dice.pick([1, 20, 300, 300, 3_000, 30_000, -2_000, -120_000]);
    this.#setTime(this.#model.timeMs + by);
  }

  #setTime(ms: number): void {
    this.#model.timeMs = ms;
    this.#ground.setTime(ms);
  }

  #attemptOf(id: string): number {
    const attempt = this.#model.jobs.find((job) => job.id === id)?.attempt ?? 1;
    return this.#dice.chance(0.85) ? attempt : attempt - 1;
  }

  #anyId(place?: string): string {
    const list = this.#model.jobs.filter((job) => job.place === (place ?? job.place));
    if (this.#dice.chance(0.1) || list.length === 0) return `job_${1 + this.#dice.below(this.#jobs + 1)}`;
    return list[this.#dice.below(list.length)]?.id ?? 'job_1';
  }

  #expect<T>(kind: string, expected: NoInfer<T> | object, answer: Promise<Answer<T>>): void {
    this.#steps += 1;
    const what = `step ${this.#steps}, ${kind}`;
    const { verdict } = Object(expected);
    const said = verdict === undefined ? kind : `${kind}: ${verdict}`;
    this.counts.set(said, (this.counts.get(said) ?? 0) + 1);
    this.#pending.push(
      answer.then(
        (reply) =>
          reply.ok && isDeepStrictEqual(reply.value, expected)
            ? undefined
            : `${what}: the model says ${JSON.stringify(expected)}, and Redis ${JSON.stringify(reply)}`,
        (error: unknown) => `${what}: ${error}`,
      ),
    );
  }

  /** What went differently first since the last time, or has left Redis in another state. */
  async compare(): Promise<string | undefined> {
    const outcomes = await Promise.all(this.#pending);
    this.#pending = [];
    const first = outcomes.find((outcome) => outcome !== undefined);
    if (first !== undefined) return first;
    const differences = await differencesOfState(this.#ground.client, this.#model);
    if (differences.length === 0) return undefined;
    return `state after step ${this.#steps}: ${differences.slice(0, 8).join('\n')}`;
  }
}
