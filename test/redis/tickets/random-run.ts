/**
 * Random steps against the scripts and against the model, and the first difference between the two. The model runs
 * ahead by some hundred steps, and Redis gets them all at once: one connection keeps their order.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Admitted, ScopeState, TicketClosing, TicketRequest } from '../../../src/redis/ticket-table.ts';
import { type Ground, keys, LEASE_MS, TENANT } from './ground.ts';
import {
  type Dice,
  diceOf,
  type LimitsOfAll,
  randomCall,
  randomLimits,
  randomSettlement,
  randomTime,
} from './random-steps.ts';
import { differencesOfBooks, differencesOfState } from './redis-state.ts';
import { ReferenceModel } from './reference-model.ts';
import { addSums, type Sums } from './reference-parts.ts';

export interface RunReport {
  /** What was done how often, and how it ended. */
  readonly counts: ReadonlyMap<string, number>;
  /** Of the first step that went differently. */
  readonly difference: string | undefined;
}

const BEGIN_MS = Date.UTC(2027, 10, 21, 22, 50);
const CHUNK = 250;

export async function randomRun(ground: Ground, seed: number, steps: number): Promise<RunReport> {
  const run = new RandomRun(ground, seed);
  for (let done = 0; done < steps; done += CHUNK) {
    for (let step = 0; step < Math.min(CHUNK, steps - done); step += 1) run.step();
    const difference = await run.compare();
    if (difference !== undefined) return { counts: run.counts, difference };
  }
  run.end();
  return { counts: run.counts, difference: (await run.compare()) ?? (await run.differenceOfEnd()) };
}

interface Pending {
  readonly what: string;
  /** Undefined: Redis has answered what the model says. */
  readonly outcome: Promise<string | undefined>;
}

class RandomRun {
  readonly counts = new Map<string, number>();
  readonly #ground: Ground;
  readonly #dice: Dice;
  readonly #model = new ReferenceModel(BEGIN_MS);
  readonly #numbers = new Map<string, number>();
  /** Everything that was booked by name, and what is booked of tickets that nobody has closed. */
  readonly #booked: Sums = new Map();
  readonly #unclosed = new Map<string, TicketRequest>();
  #limits: LimitsOfAll;
  #open: TicketRequest[] = [];
  #gone: TicketRequest[] = [];
  #lastBatch: { replica: string; number: number; closings: TicketClosing[] } | undefined;
  #pending: Pending[] = [];
  #steps = 0;
  #calls = 0;
  #booksTouched = new Set<string>();

  constructor(ground: Ground, seed: number) {
    this.#ground = ground;
    this.#dice = diceOf(seed);
    this.#limits = randomLimits(this.#dice);
    ground.setTime(BEGIN_MS);
  }

  step(): void {
    this.#steps += 1;
    const kind = this.#dice.below(1_000);
    if (kind < 380) this.#admit();
    else if (kind < 620) this.#settle();
    else if (kind < 720) this.#renew();
    else if (kind < 780) this.#sweep(this.#dice.pick([1, 3, 100]));
    else if (kind < 795) this.#changeLimits();
    else if (kind < 830) this.#crash();
    else this.#setTime(randomTime(this.#dice, this.#model.timeMs));
  }

  /** Closes what is open, and lets everything else run out and be forgotten. */
  end(): void {
    while (this.#open.length > 0) this.#settleAll(this.#open.splice(0, 6));
    for (let day = 0; day < 3; day += 1) {
      this.#setTime(this.#model.timeMs + 2 * 86_400_000);
      for (let round = 0; round <= this.#model.tickets.size / 1_000; round += 1) this.#sweep(1_000);
    }
  }

  #admit(): void {
    const calls = Array.from({ length: 1 + this.#dice.below(6) }, () => {
      if (this.#dice.chance(0.05)) return this.#anyTicket() ?? this.#newCall();
      return this.#newCall();
    });
    const version = this.#model.version - (this.#dice.chance(0.04) ? 1 : 0);
    const expected = this.#model.admit(version, LEASE_MS, calls);
    const answer = this.#ground.table.admit(TENANT, version, LEASE_MS, calls);
    this.#expect('admit', answer, (got) => differenceOfAdmitted(expected, got));
    if (expected === 'stale') return this.#count('stale');
    for (const [index, { code }] of expected.verdicts.entries()) {
      this.#count(code === 0 ? 'admitted' : `refused ${code % 100 > 10 ? 'quota' : code % 100}`);
      const call = calls[index];
      if (!call || code !== 0 || call.ticket !== `t${this.#calls}` && !this.#isNew(call)) continue;
      this.#open.push(call);
      this.#unclosed.set(call.ticket, call);
    }
  }

  #isNew(call: TicketRequest): boolean {
    return this.#model.tickets.get(call.ticket)?.state === 'open' && !this.#unclosed.has(call.ticket);
  }

  #newCall(): TicketRequest {
    this.#calls += 1;
    return randomCall(this.#dice, this.#limits, `t${this.#calls}`);
  }

  /** One that was admitted: open, closed, or its holder is dead. Its limits are those of today. */
  #anyTicket(): TicketRequest | undefined {
    const list = this.#dice.chance(0.6) ? this.#open : this.#gone;
    const found = list[this.#dice.below(list.length)];
    return found && { ...randomCall(this.#dice, this.#limits, found.ticket), ticket: found.ticket };
  }

  #settle(): void {
    if (this.#lastBatch && this.#dice.chance(0.1)) {
      const { replica, number, closings } = this.#lastBatch;
      return this.#settleBatch(replica, number - this.#dice.below(2), closings);
    }
    const chosen: TicketRequest[] = [];
    for (let count = 1 + this.#dice.below(5); count > 0; count -= 1) {
      const index = this.#dice.below(this.#open.length);
      if (this.#dice.chance(0.8)) chosen.push(...this.#open.splice(index, 1));
      else if (this.#dice.chance(0.3)) chosen.push(...this.#gone.slice(-1));
      else chosen.push(this.#newCall());
    }
    const twice = this.#dice.chance(0.1) ? chosen.slice(0, 1) : [];
    if (chosen.length > 0) this.#settleAll([...chosen, ...twice]);
  }

  #settleAll(calls: readonly TicketRequest[]): void {
    const replica = this.#dice.pick(['r1', 'r2']);
    const number = (this.#numbers.get(replica) ?? 0) + 1;
    this.#numbers.set(replica, number);
    const closings = calls.map((call) => {
      const { ticket, keyId, model } = call;
      return { ticket, keyId, model, settlement: randomSettlement(this.#dice, call) };
    });
    this.#gone = [...this.#gone, ...calls].slice(-50);
    this.#lastBatch = { replica, number, closings };
    this.#settleBatch(replica, number, closings);
  }

  #settleBatch(replica: string, number: number, closings: TicketClosing[]): void {
    const expected = this.#model.settle(replica, number, closings);
    const batch = { replica, number, callsKept: 0 };
    const answer = this.#ground.table.settle(TENANT, batch, closings);
    this.#expect('settle', answer, (got) => differenceOf(expected, got));
    if (expected === 'repeated') return this.#count('repeated');
    for (const [index, found] of expected.entries()) {
      this.#count(found);
      const closing = closings[index];
      if (!closing || found === 'closed') continue;
      if (found !== 'absent') this.#unclosed.delete(closing.ticket);
      const { settlement } = closing;
      if (settlement) addSums(this.#booked, { c: 1, ...spentSums(settlement.spent) });
    }
  }

  #renew(): void {
    const tickets = [...this.#open.slice(-this.#dice.below(8)), ...this.#gone.slice(-1)].map((one) => one.ticket);
    if (this.#dice.chance(0.3)) tickets.push('never-was');
    const distinct = [...new Set(tickets)];
    if (distinct.length === 0) return;
    const expected = this.#model.renew(LEASE_MS, distinct);
    this.#expect('renew', this.#ground.table.renew(TENANT, LEASE_MS, distinct), (got) =>
      differenceOf(expected, got),
    );
    this.#count(expected > 0 ? 'retaken' : 'renewed');
  }

  #sweep(countMax: number): void {
    const expected = this.#model.sweep(countMax);
    this.#expect('sweep', this.#ground.table.sweep(TENANT, countMax), (got) => differenceOf(expected, got));
    this.#count(expected.expired > 0 ? 'swept' : 'nothing to sweep');
  }

  #changeLimits(): void {
    this.#limits = randomLimits(this.#dice);
    this.#model.version += 1;
    const changed = this.#ground.client.hset(keys.meta(TENANT), 'version', this.#model.version);
    this.#expect('version', changed, () => undefined);
  }

  /** The tickets of a holder stay as they are, until their leases run out. */
  #crash(): void {
    const count = this.#dice.below(this.#open.length + 1);
    this.#count('crashed', this.#open.splice(0, count).length);
  }

  #setTime(ms: number): void {
    this.#model.timeMs = ms;
    this.#ground.setTime(ms);
  }

  #expect<T>(
    kind: string,
    answer: Promise<T>,
    differs: (got: T extends { ok: true; value: infer Value } ? Value : T) => string | undefined,
  ): void {
    const at = new Date(this.#model.now()).toISOString();
    const outcome = answer.then(
      (got) => differs(valueOf(got)),
      (error: unknown) => String(error),
    );
    this.#pending.push({ what: `step ${this.#steps} at ${at}, ${kind}`, outcome });
  }

  #count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  /** What went differently first since the last time, or has left Redis in another state. */
  async compare(): Promise<string | undefined> {
    const pending = this.#pending;
    this.#pending = [];
    const outcomes = await Promise.all(pending.map(({ outcome }) => outcome));
    const first = outcomes.findIndex((outcome) => outcome !== undefined);
    if (first >= 0) return `${pending[first]?.what}: ${outcomes[first]}`;
    const touched = this.#model.takeTouchedBooks();
    const differences = [
      ...(await differencesOfState(this.#ground.client, this.#model)),
      ...(await differencesOfBooks(this.#ground.client, this.#model, touched)),
    ];
    return differences.length === 0
      ? undefined
      : `after step ${this.#steps}: ${differences.slice(0, 8).join('\n')}`;
  }
}
