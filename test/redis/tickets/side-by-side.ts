/**
 * Each step goes to the scripts and to the model. The model runs ahead, and Redis gets many steps at once: one
 * connection keeps their order. `compare` then tells the first difference.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Answer } from '../../../src/redis/connection.ts';
import type {
  Admitted,
  FoundTicket,
  ScopeState,
  SweptTenant,
  TicketClosing,
  TicketRequest,
  TicketVerdict,
} from '../../../src/redis/ticket-table.ts';
import { type Ground, keys, LEASE_MS, TENANT } from './ground.ts';
import { differencesOfBooks, differencesOfState } from './redis-state.ts';
import { ReferenceModel } from './reference-model.ts';

interface Pending {
  readonly what: string;
  /** Undefined: Redis has answered what the model says. */
  readonly outcome: Promise<string | undefined>;
}

export class SideBySide {
  readonly model: ReferenceModel;
  readonly #ground: Ground;
  #pending: Pending[] = [];
  #steps = 0;

  constructor(ground: Ground, beginMs: number) {
    this.#ground = ground;
    this.model = new ReferenceModel(beginMs);
    ground.setTime(beginMs);
  }

  setTime(ms: number): void {
    this.model.timeMs = ms;
    this.#ground.setTime(ms);
  }

  changeVersion(): void {
    this.model.version += 1;
    this.#ground.client.hset(keys.meta(TENANT), 'version', this.model.version).catch(() => undefined);
  }

  admit(version: number, calls: readonly TicketRequest[]): Admitted | 'stale' {
    const expected = this.model.admit(version, LEASE_MS, calls);
    const answer = this.#ground.table.admit(TENANT, version, LEASE_MS, calls);
    this.#expect('admit', answer, (got) => differenceOfAdmitted(expected, got));
    return expected;
  }

  settle(replica: string, number: number, closings: readonly TicketClosing[]): FoundTicket[] | 'repeated' {
    const expected = this.model.settle(replica, number, closings);
    const answer = this.#ground.table.settle(TENANT, { replica, number, callsKept: 0 }, closings);
    this.#expect('settle', answer, (got) => differenceOf(expected, got));
    return expected;
  }

  renew(tickets: readonly string[]): number {
    const expected = this.model.renew(LEASE_MS, tickets);
    const answer = this.#ground.table.renew(TENANT, LEASE_MS, tickets);
    this.#expect('renew', answer, (got) => differenceOf(expected, got));
    return expected;
  }

  suspend(forMs: number, tickets: readonly string[]): number {
    const expected = this.model.suspend(forMs, tickets);
    const answer = this.#ground.table.suspend(TENANT, forMs, tickets);
    this.#expect('suspend', answer, (got) => differenceOf(expected, got));
    return expected;
  }

  sweep(countMax: number): SweptTenant {
    const expected = this.model.sweep(countMax);
    const answer = this.#ground.table.sweep(TENANT, countMax);
    this.#expect('sweep', answer, (got) => differenceOf(expected, got));
    return expected;
  }

  #expect<T>(kind: string, answer: Promise<Answer<T>>, differs: (got: T) => string | undefined): void {
    this.#steps += 1;
    const what = `command ${this.#steps}, ${kind}, at ${new Date(this.model.now()).toISOString()}`;
    const outcome = answer.then(
      (got) => (got.ok ? differs(got.value) : 'no answer'),
      (error: unknown) => String(error),
    );
    this.#pending.push({ what, outcome });
  }

  /** What went differently first since the last time, or has left Redis in another state. */
  async compare(): Promise<string | undefined> {
    const pending = this.#pending;
    this.#pending = [];
    const outcomes = await Promise.all(pending.map(({ outcome }) => outcome));
    const first = outcomes.findIndex((outcome) => outcome !== undefined);
    if (first >= 0) return `${pending[first]?.what}: ${outcomes[first]}`;
    const touched = [...this.model.touchedBooks];
    this.model.touchedBooks.clear();
    const differences = [
      ...(await differencesOfState(this.#ground.client, this.model)),
      ...(await differencesOfBooks(this.#ground.client, this.model, touched)),
    ];
    if (differences.length === 0) return undefined;
    return `state after command ${this.#steps}: ${differences.slice(0, 8).join('\n')}`;
  }
}

function differenceOfAdmitted(expected: Admitted | 'stale', got: Admitted | 'stale'): string | undefined {
  if (expected === 'stale' || got === 'stale') return differenceOf(expected, got);
  const differences = expected.verdicts.flatMap((verdict, index) => {
    const other = got.verdicts[index];
    return isSameVerdict(verdict, other) ? [] : [differenceText(verdict, other)];
  });
  for (const [name, state] of expected.states) {
    const other = got.states.get(name);
    if (!isSameState(state, other)) differences.push(`${name}: ${differenceText(state, other)}`);
  }
  return differences[0] ?? differenceOf(expected.nowMs, got.nowMs);
}

/** Where two buckets refuse equally long, either may be named. */
function isSameVerdict(expected: TicketVerdict, got: TicketVerdict | undefined): boolean {
  if (!got || !isNear(got.waitMs, expected.waitMs)) return false;
  return got.code === expected.code || (isBucket(got.code) && isBucket(expected.code));
}

function isBucket(code: number): boolean {
  return code % 100 === 1 || code % 100 === 2;
}

function isSameState(expected: ScopeState, got: ScopeState | undefined): boolean {
  return (
    got !== undefined &&
    isNear(got.requestsLeft, expected.requestsLeft) &&
    isNear(got.requestsFullInMs, expected.requestsFullInMs) &&
    isNear(got.tokensLeft, expected.tokensLeft) &&
    isNear(got.tokensFullInMs, expected.tokensFullInMs) &&
    got.slotsTaken === expected.slotsTaken &&
    isDeepStrictEqual(got.used, expected.used)
  );
}

function isNear(one: number, other: number): boolean {
  return Math.abs(one - other) <= 1;
}

function differenceOf(expected: unknown, got: unknown): string | undefined {
  return isDeepStrictEqual(expected, got) ? undefined : differenceText(expected, got);
}

function differenceText(expected: unknown, got: unknown): string {
  return `the model says ${JSON.stringify(expected)}, and Redis ${JSON.stringify(got)}`;
}
