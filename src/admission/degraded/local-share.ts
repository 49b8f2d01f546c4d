/**
 * Admission by this replica alone, while Redis is away or did not answer in time.
 *
 * Each replica may use one part in as many as were last seen alive. Rates: the limit of a minute ÷ replicas, in a
 * window of a minute. Slots: the limit ÷ replicas, against the calls that run here, also those that Redis admitted.
 * Quotas: what was left when Redis last spoke of them ÷ replicas, less what was spent here since; where it never has,
 * the whole quota counts as left. A rate or a number of slots that is lower than the number of replicas gives one to
 * each; a quota never does, because what is spent stays spent.
 *
 * The bound: in an outage of T minutes a cluster of N replicas admits at most
 *
 *     N × share × ⌈T⌉   with share = max(1, ⌊limit ÷ N⌋),
 *
 * and in its first minute also what Redis had admitted in the minute before. A call that is estimated above the whole
 * share of tokens runs where nothing has been taken yet, and lengthens its window in proportion, at most to double.
 * Replicas that start during the outage know of no others, but they know no keys either, unless the environment
 * names them.
 *
 * The number of replicas does not change while Redis is away, so a window keeps its share to its end.
 *
 * When Redis is back nothing has to be reset, and nothing is: the windows end by themselves within two minutes. A
 * Redis that comes and goes would otherwise hand out one more share each time.
 */
import type { Charge } from '../../core/ticket.ts';
import type { Amounts, Scope, ScopeState, TicketRequest, TicketVerdict } from '../../redis/ticket-table.ts';
import { LocalAccounts } from './local-accounts.ts';
import { MinuteWindows, type Need, type Taken } from './minute-windows.ts';

interface LocalShareParts {
  /** Replicas last seen alive, this one among them. */
  readonly replicas: { alive(): number };
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}

/** What a call that was admitted here has taken. */
interface Hold {
  readonly atMs: number;
  readonly taken: readonly Taken[];
}

type LimitOfMinute = 'requests' | 'tokens';

interface RateNeed extends Need {
  readonly code: number;
  readonly limit: LimitOfMinute;
}

const ADMITTED: TicketVerdict = { code: 0, waitMs: 0 };
const REASONS: Readonly<Record<LimitOfMinute, number>> = { requests: 1, tokens: 2 };
const SLOTS = 3;

export class LocalShare {
  readonly #parts: LocalShareParts;
  readonly #accounts = new LocalAccounts();
  readonly #windows = new MinuteWindows();
  readonly #holds = new WeakMap<TicketRequest, Hold>();

  constructor(parts: LocalShareParts) {
    this.#parts = parts;
  }

  /** Redis has spoken of these scopes. On the hot path. */
  remember(tenant: string, { scopes }: TicketRequest, states: ReadonlyMap<string, ScopeState>): void {
    for (const scope of scopes) {
      if (!scope || scope.quotas.length === 0) continue;
      const state = states.get(scope.name);
      if (state) this.#accounts.of(tenant, scope.name).see(scope.quotas, state.used, this.#parts.now());
    }
  }

  /** Redis has admitted a call of this replica. On the hot path. */
  began(tenant: string, request: TicketRequest): void {
    this.#moveSlots(tenant, request, 1);
  }

  /** Decides as `admit.lua` does, with its codes. Waits for nothing: it settles before any timer or socket. */
  async admit(tenant: string, request: TicketRequest): Promise<TicketVerdict> {
    const nowMs = this.#parts.now();
    const parts = Math.max(1, this.#parts.replicas.alive());
    const refused = this.#refusing(tenant, request, parts, nowMs);
    if (refused) return refused;
    // Before anything is waited for, so that calls that ask at the same time count against each other.
    this.#moveSlots(tenant, request, 1);
    this.#spend(tenant, request, amountsOf(request.charge, 1), nowMs);
    const taken = await this.#windows.take(rateNeeds(tenant, request, parts));
    if ('waitMs' in taken) {
      this.#moveSlots(tenant, request, -1);
      this.#spend(tenant, request, amountsOf(request.charge, -1), nowMs);
      return { code: (taken.need as RateNeed).code, waitMs: Math.ceil(taken.waitMs) };
    }
    this.#holds.set(request, { atMs: nowMs, taken });
    return ADMITTED;
  }

  /**
   * A call that began, or was admitted here, has ended. Once for each, with the request as it was.
   * @param spent undefined: as if the call had never been
   */
  ended(tenant: string, request: TicketRequest, spent: Charge | undefined): void {
    this.#moveSlots(tenant, request, -1);
    const hold = this.#holds.get(request);
    if (!hold) return;
    this.#holds.delete(request);
    const reserved = amountsOf(request.charge, 1);
    const real = spent ? amountsOf(spent, 1, spent.requests) : noAmounts;
    this.#spend(tenant, request, difference(real, reserved), hold.atMs);
    for (const taken of hold.taken) {
      const { limit } = taken.need as RateNeed;
      if (limit === 'tokens') this.#windows.put(taken, real[1] - taken.points);
      else if (!spent) this.#windows.put(taken, -taken.points);
    }
  }

  #refusing(tenant: string, request: TicketRequest, parts: number, nowMs: number): TicketVerdict | undefined {
    const amounts = amountsOf(request.charge, 1);
    let slots: TicketVerdict | undefined;
    for (const [scope, kind] of kindsOf(request)) {
      const account = this.#accounts.of(tenant, scope.name);
      const spent = request.parts.quota && account.refusing(scope.quotas, amounts, parts, nowMs);
      if (spent) return { code: kind * 100 + spent.code, waitMs: spent.waitMs };
      if (!request.parts.slot || scope.slots === undefined || slots) continue;
      if (account.running >= shareOf(scope.slots, parts)) slots = { code: kind * 100 + SLOTS, waitMs: -1 };
    }
    return slots;
  }

  #moveSlots(tenant: string, { scopes, parts }: TicketRequest, by: number): void {
    if (!parts.slot) return;
    for (const scope of scopes) {
      if (scope?.slots !== undefined) this.#accounts.of(tenant, scope.name).running += by;
    }
  }

  #spend(tenant: string, { scopes, parts }: TicketRequest, amounts: Amounts, atMs: number): void {
    if (!parts.quota) return;
    for (const scope of scopes) {
      if (!scope || scope.quotas.length === 0) continue;
      this.#accounts.of(tenant, scope.name).spend(scope.quotas, amounts, atMs);
    }
  }
}

function shareOf(limit: number, parts: number): number {
  return Math.max(1, Math.floor(limit / parts));
}

/** Kinds count from 1, as in the script. */
function* kindsOf({ scopes }: TicketRequest): Generator<readonly [Scope, number]> {
  for (const [index, scope] of scopes.entries()) if (scope) yield [scope, index + 1];
}

function rateNeeds(tenant: string, request: TicketRequest, parts: number): RateNeed[] {
  if (!request.parts.rate) return [];
  const [requests, tokens] = amountsOf(request.charge, 1);
  const amounts: Readonly<Record<LimitOfMinute, number>> = { requests, tokens };
  const needs: RateNeed[] = [];
  for (const [scope, kind] of kindsOf(request)) {
    for (const limit of ['requests', 'tokens'] as const) {
      const { perMinute } = scope[limit];
      if (perMinute === undefined || amounts[limit] === 0) continue;
      needs.push({
        key: `${limit} ${tenant} ${scope.name}`,
        share: shareOf(perMinute, parts),
        amount: amounts[limit],
        code: kind * 100 + REASONS[limit],
        limit,
      });
    }
  }
  return needs;
}

const noAmounts: Amounts = [0, 0, 0, 0, 0];

/** @param sign 1, or -1 for what is given back */
function amountsOf(charge: Charge, sign: 1 | -1, requests = 1): Amounts {
  const { inputTokens, outputTokens, images, gpuMs, costNano } = charge;
  return [sign * requests, sign * (inputTokens + outputTokens), sign * images, sign * gpuMs, sign * costNano];
}

function difference(one: Amounts, other: Amounts): Amounts {
  return [one[0] - other[0], one[1] - other[1], one[2] - other[2], one[3] - other[3], one[4] - other[4]];
}
