/** Decisions on calls, how close tenants are to their limits, and whether every ticket finds its way back. */
import type { Counter } from 'prom-client';
import type { LimitsUsed } from '../core/limits-used.ts';
import type { FirstNames } from './first-names.ts';
import type { MetricMaker } from './maker.ts';
import { RecentMost } from './recent-most.ts';
import type { Tally } from './tally.ts';

const limits = ['requests_per_minute', 'tokens_per_minute', 'max_concurrent', 'quota'] as const;
const TOKEN_DEBT = limits.length;

export interface TicketReadings {
  ticketsOpen(): number;
  settlementsWaiting(): number;
}

export class AdmissionMetrics {
  readonly #tenants: FirstNames;
  readonly #admissions: Tally;
  readonly #limited: Tally;
  readonly #settlements: Tally;
  readonly #lost: Counter;
  readonly #retaken: Counter;
  readonly #dropped: Counter;
  /** Of each limit, then the debt. */
  readonly #used: RecentMost;

  constructor(
    make: MetricMaker,
    readings: TicketReadings,
    { tenants, now }: { readonly tenants: FirstNames; readonly now: () => number },
  ) {
    this.#tenants = tenants;
    this.#used = new RecentMost(limits.length + 1, now);
    this.#admissions = make.tally('sluice_admissions_total', 'Decisions on calls.', ['outcome', 'limit']);
    this.#limited = make.tally('sluice_tenant_limited_total', 'Calls and jobs refused at a limit.', [
      ...['tenant', 'limit'],
    ]);
    this.#closeness(make);
    make.gauge('sluice_tickets_open', 'Calls that hold a ticket.', readings.ticketsOpen);
    this.#settlements = make.tally(
      'sluice_settlements_total',
      'Tickets closed, by the state they were found in.',
      ['found'],
    );
    make.gauge(
      'sluice_settlements_waiting',
      'Settlements that Redis has not confirmed.',
      readings.settlementsWaiting,
    );
    this.#lost = make.counter(
      'sluice_tickets_lost_total',
      'Tickets whose lease has run out because their holder died; their reservation was booked.',
    );
    this.#retaken = make.counter(
      'sluice_slots_retaken_total',
      'Slots that were taken again after their lease had run out, above the limit if need be.',
    );
    this.#dropped = make.counter(
      'sluice_settlements_dropped_total',
      'Settlements that were given up because Redis was away for too long.',
    );
  }

  /** Comes with every call. @param limit the one that refused, or empty */
  decided(tenant: string, outcome: string, limit: string): void {
    if (limit === '') return this.#admissions.count(`${outcome} none`);
    this.#admissions.count(`${outcome} ${limit}`);
    this.#limited.count(`${this.#tenants.labelOf(tenant)} ${kindOf(limit)}`);
  }

  /** Comes with every call that has limits. */
  limitsUsed(tenant: string, used: LimitsUsed): void {
    const most = this.#used.of(this.#tenants.labelOf(tenant));
    raise(most, 0, used.requestsPerMinute);
    raise(most, 1, used.tokensPerMinute);
    raise(most, 2, used.maxConcurrent);
    raise(most, 3, used.quota);
    if (used.tokenDebt > 0) raise(most, TOKEN_DEBT, used.tokenDebt);
  }

  settled(found: readonly string[]): void {
    for (const state of found) this.#settlements.count(state);
  }

  lost(count: number): void {
    this.#lost.inc(count);
  }

  slotsRetaken(count: number): void {
    this.#retaken.inc(count);
  }

  dropped(count: number): void {
    this.#dropped.inc(count);
  }

  #closeness(make: MetricMaker): void {
    make.gauges(
      'sluice_tenant_limit_used_ratio',
      'The most that was used of a limit in the last one to two minutes; 1: all; above: debt.',
      ['tenant', 'limit'],
      (put) => {
        for (const [tenant, most] of this.#used.read()) {
          for (const [index, limit] of limits.entries()) {
            const used = most[index] as number;
            if (used >= 0) put({ tenant, limit }, used);
          }
        }
      },
    );
    make.gauges(
      'sluice_tenant_token_debt',
      'The most tokens that a bucket has owed in the last one to two minutes.',
      ['tenant'],
      (put) => {
        for (const [tenant, most] of this.#used.read()) {
          const debt = most[TOKEN_DEBT] as number;
          if (debt >= 0) put({ tenant }, debt);
        }
      },
    );
  }
}

function raise(most: Float64Array, index: number, value: number | undefined): void {
  if (value !== undefined && value > (most[index] as number)) most[index] = value;
}

/** `key_model_quota_day_tokens`: a quota. */
function kindOf(limit: string): string {
  return limits.find((kind) => limit.endsWith(kind)) ?? 'quota';
}
