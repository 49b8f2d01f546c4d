/** Random steps against the scripts and the model, and the first difference between the two. */
import type { TicketClosing, TicketRequest } from '../../../src/redis/ticket-table.ts';
import { type Ground, keys, TENANT } from './ground.ts';
import {
  type Dice,
  diceOf,
  type LimitsOfAll,
  randomCall,
  randomLimits,
  randomSettlement,
  randomTime,
} from './random-steps.ts';
import { addSums, type Sums } from './reference-parts.ts';
import { SideBySide } from './side-by-side.ts';

export interface RunReport {
  /** What was done how often, and how it ended. */
  readonly counts: ReadonlyMap<string, number>;
  /** Of the first step that went differently. */
  readonly difference: string | undefined;
}

const BEGIN_MS = Date.UTC(2027, 10, 21, 22, 50);
const CHUNK = 250;

/** Redis has to be empty. */
export async function randomRun(ground: Ground, seed: number, steps: number): Promise<RunReport> {
  const run = new RandomRun(ground, seed);
  for (let done = 0; done < steps; done += CHUNK) {
    for (let step = 0; step < Math.min(CHUNK, steps - done); step += 1) run.step();
    const difference = await run.sides.compare();
    if (difference !== undefined) return { counts: run.counts, difference };
  }
  run.end();
  return { counts: run.counts, difference: (await run.sides.compare()) ?? (await run.differenceOfEnd()) };
}

class RandomRun {
  readonly counts = new Map<string, number>();
  readonly sides: SideBySide;
  readonly #ground: Ground;
  readonly #dice: Dice;
  readonly #numbers = new Map<string, number>();
  /** What was settled, by field of the books. */
  readonly #settled: Sums = new Map();
  /** Admitted, and not yet closed by anybody. */
  readonly #unclosed = new Map<string, TicketRequest>();
  /** Forgotten, and then admitted anew under the same name. */
  readonly #lost: TicketRequest[] = [];
  /** Names of those that have ever had more than their quota. */
  readonly #haveRun = new Set<string>();
  /** Those whose holders live. */
  readonly #open: TicketRequest[] = [];
  #gone: TicketRequest[] = [];
  #limits: LimitsOfAll;
  #lastBatch: { replica: string; number: number; closings: TicketClosing[] } | undefined;
  #calls = 0;

  constructor(ground: Ground, seed: number) {
    this.#ground = ground;
    this.sides = new SideBySide(ground, BEGIN_MS);
    this.#dice = diceOf(seed);
    this.#limits = randomLimits(this.#dice);
  }

  step(): void {
    const kind = this.#dice.below(1_000);
    if (kind < 380) this.#admit();
    else if (kind < 620) this.#settle();
    else if (kind < 720) this.#renew();
    else if (kind < 780) this.#sweep(this.#dice.pick([1, 3, 100]));
    else if (kind < 795) this.#changeLimits();
    else if (kind < 830) this.#crash();
    else this.sides.setTime(randomTime(this.#dice, this.sides.model.timeMs));
  }

  /** Closes what is open, and lets everything else run out and be forgotten. */
  end(): void {
    while (this.#open.length > 0) this.#settleAll(this.#open.splice(0, 6));
    for (let round = 0; round < 3; round += 1) {
      this.sides.setTime(this.sides.model.timeMs + 3 * 86_400_000);
      while (this.#sweep(500) > 0);
    }
  }

  #admit(): void {
    const calls = Array.from({ length: 1 + this.#dice.below(6) }, () =>
      this.#dice.chance(0.05) ? this.#callAgain() : this.#newCall(),
    );
    if (this.#dice.chance(0.2)) calls.push(this.#resumed());
    const { model } = this.sides;
    const isStale = this.#dice.chance(0.04);
    const before = new Map(calls.map(({ ticket }) => [ticket, model.tickets.get(ticket)]));
    const admitted = this.sides.admit(model.version - (isStale ? 1 : 0), calls);
    if (admitted === 'stale') return this.#count('stale');
    for (const { code } of admitted.verdicts) {
      this.#count(code === 0 ? 'admitted' : `refused: ${code % 100 > 10 ? 'quota' : code % 100}`);
    }
    for (const call of new Map(calls.map((one) => [one.ticket, one])).values()) {
      const taken = model.tickets.get(call.ticket);
      if (!taken || taken === before.get(call.ticket)) continue;
      const isResumed = taken.charge === before.get(call.ticket)?.charge;
      if (isResumed) this.#resume(call.ticket);
      this.#admitted({ ...call, charge: taken.charge }, isResumed);
    }
  }

  /** It is not another one, so nothing of it is lost. */
  #resume(ticket: string): void {
    this.#count('resumed');
    this.#unclosed.delete(ticket);
    const at = this.#open.findIndex((one) => one.ticket === ticket);
    if (at >= 0) this.#open.splice(at, 1);
  }

  #resumed(): TicketRequest {
    const list = this.#dice.chance(0.8) ? this.#open : this.#gone;
    const before = list[this.#dice.below(list.length)] ?? this.#newCall();
    return randomCall(this.#dice, this.#limits, before.ticket, before);
  }

  #admitted(call: TicketRequest, isResumed: boolean): void {
    const lost = this.#unclosed.get(call.ticket);
    if (lost && this.#haveRun.has(call.ticket)) this.#lost.push(lost);
    if (!isResumed) this.#haveRun.delete(call.ticket);
    if (call.parts.rate || call.parts.slot) this.#haveRun.add(call.ticket);
    this.#unclosed.set(call.ticket, call);
    this.#open.push(call);
  }

  #newCall(): TicketRequest {
    this.#calls += 1;
    return randomCall(this.#dice, this.#limits, `t${this.#calls}`);
  }

  /** Of a ticket that was admitted once: it may be open, run out, or closed. */
  #callAgain(): TicketRequest {
    const list = this.#dice.chance(0.6) ? this.#open : this.#gone;
    const { ticket } = list[this.#dice.below(list.length)] ?? this.#newCall();
    return randomCall(this.#dice, this.#limits, ticket);
  }

  #settle(): void {
    if (this.#lastBatch && this.#dice.chance(0.1)) {
      const { replica, number, closings } = this.#lastBatch;
      return this.#settleBatch(replica, number - this.#dice.below(2), closings);
    }
    const chosen: TicketRequest[] = [];
    for (let count = 1 + this.#dice.below(5); count > 0; count -= 1) {
      const kind = this.#dice.below(10);
      if (kind < 8) chosen.push(...this.#open.splice(this.#dice.below(this.#open.length), 1));
      else if (kind < 9) chosen.push(...this.#gone.slice(-1));
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
      const isShared = this.#dice.chance(0.1);
      return { ticket, keyId, model, settlement: randomSettlement(this.#dice, call), isShared };
    });
    this.#gone = [...this.#gone, ...calls].slice(-50);
    this.#lastBatch = { replica, number, closings };
    this.#settleBatch(replica, number, closings);
  }

  #settleBatch(replica: string, number: number, closings: readonly TicketClosing[]): void {
    const found = this.sides.settle(replica, number, closings);
    if (found === 'repeated') return this.#count('repeated');
    for (const [index, { ticket, settlement }] of closings.entries()) {
      const state = found[index] ?? 'closed';
      this.#count(`settled: ${state}`);
      if (state === 'closed') continue;
      if (state !== 'absent') this.#unclosed.delete(ticket);
      if (settlement) addSums(this.#settled, { c: 1, ...settlement.spent });
    }
  }

  #renew(): void {
    const held = this.#open.slice(this.#dice.below(this.#open.length));
    const tickets = [...held, ...this.#gone.slice(-1)].map(({ ticket }) => ticket);
    if (this.#dice.chance(0.3)) tickets.push('never-was');
    if (tickets.length > 0 && this.#dice.chance(0.2)) {
      return this.#count('put off', this.sides.suspend(60_000, [...new Set(tickets)]));
    }
    if (tickets.length > 0) this.#count('retaken', this.sides.renew([...new Set(tickets)]));
  }

  /** How many are left that have run out, or may be forgotten. */
  #sweep(countMax: number): number {
    const { expired, forgotten } = this.sides.sweep(countMax);
    this.#count('ran out', expired);
    return expired + forgotten;
  }

  #changeLimits(): void {
    this.#limits = randomLimits(this.#dice);
    this.sides.changeVersion();
  }

  /** The tickets of a holder stay as they are, until their leases run out. */
  #crash(): void {
    const lost = this.#open.splice(0, this.#dice.below(this.#open.length + 1));
    this.#gone = [...this.#gone, ...lost].slice(-50);
    this.#count('crashed', lost.length);
  }

  #count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  /** Nothing is outstanding, and the books hold what was settled and what was lost: by what was sent alone. */
  async differenceOfEnd(): Promise<string | undefined> {
    const { client } = this.#ground;
    const scopes = await client.keys(keys.account(TENANT, '*'));
    const slots = await Promise.all(scopes.map((name) => client.hget(name, 'n')));
    const left = [await client.hlen(keys.tickets(TENANT)), await client.zcard(keys.leases(TENANT))];
    const books = (await client.keys(keys.usage(TENANT, '*', '\\*', '\\*'))).map((name) =>
      client.hgetall(name),
    );
    const sums: Sums = new Map();
    for (const book of await Promise.all(books)) {
      addSums(sums, Object.fromEntries(Object.entries(book).map(([field, sum]) => [field, Number(sum)])));
    }
    const unclosed = [...this.#unclosed.values()].filter(({ ticket }) => this.#haveRun.has(ticket));
    const lost = [...this.#lost, ...unclosed];
    for (const { charge } of lost) addSums(this.#settled, { c: 1, ...charge });
    const expected = ['c', 'inputTokens', 'outputTokens', 'images', 'gpuMs', 'costNano'].map((name) =>
      this.#settled.get(name),
    );
    const found = ['c', 'i', 'o', 'p', 'g', 'n'].map((name) => sums.get(name));
    const isRight = String(expected) === String(found) && sums.get('l') === lost.length;
    if (isRight && left.every((one) => one === 0) && slots.every((one) => Number(one) === 0))
      return undefined;
    return `at the end: booked ${found}, sent ${expected}; ${left} tickets and leases; slots ${slots}; lost ${sums.get('l')} of ${lost.length}`;
  }
}
