import { Registry } from 'prom-client';
import type { Call } from '../core/call.ts';
import type { LimitsUsed } from '../core/limits-used.ts';
import type { Charge, Settlement } from '../core/ticket.ts';
import { AdmissionMetrics, type TicketReadings } from './admission-metrics.ts';
import { AttemptMetrics } from './attempt-metrics.ts';
import { CallMetrics, type EndedCall } from './call-metrics.ts';
import { ChargeMetrics } from './charge-metrics.ts';
import { exposition } from './exposition.ts';
import { FirstNames } from './first-names.ts';
import { MetricMaker } from './maker.ts';
import { processMetrics } from './process-metrics.ts';
import { RedisMetrics, type RedisReadings } from './redis-metrics.ts';
import { type ServerReadings, serverGauges } from './server-gauges.ts';
import type { Tally } from './tally.ts';

export type { EndedCall } from './call-metrics.ts';

/** What is read when Prometheus asks, instead of being written with every change. */
export interface Readings extends ServerReadings, TicketReadings {
  readonly redis: RedisReadings;
  requestsInFlight(): number;
  streamsOpen(): number;
  draining(): boolean;
  replicas(): number;
  installationLost(): boolean;
  callsWaiting(): number;
  /** Of the configuration: whether the last reading had no faults, and since when that which holds does, since 1970. */
  config(): { readonly isLastOk: boolean; readonly sinceMs: number };
}

export interface MetricsIdentity {
  readonly version: string;
  readonly role: 'gateway' | 'worker';
  /** Tenants that have series of their own. */
  readonly tenantsMax: number;
}

/** Servers may list a thousand models each. */
const MODELS_MAX = 200;

/**
 * The metrics of a process. Every label value comes from the code or from the configuration: nothing that a
 * client made up can grow a series. METRICS.md says which question each of them answers.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly make = new MetricMaker(this.registry);
  readonly tenants: FirstNames;
  readonly models = new FirstNames(MODELS_MAX);
  readonly #calls: CallMetrics;
  readonly #charges: ChargeMetrics;
  readonly #attempts: AttemptMetrics;
  readonly #admission: AdmissionMetrics;
  readonly #redis: RedisMetrics;
  readonly #keyLookups: Tally;
  readonly #cacheReads: Tally;
  readonly #idempotentRequests: Tally;

  constructor(readings: Readings, { version, role, tenantsMax }: MetricsIdentity) {
    const { make } = this;
    this.tenants = new FirstNames(tenantsMax);
    make.gauges('sluice_build_info', 'Always 1: what runs.', ['version', 'role'], (put) =>
      put({ version, role }, 1),
    );
    this.#calls = new CallMetrics(make, this);
    this.#charges = new ChargeMetrics(make, this);
    this.#admission = new AdmissionMetrics(make, readings, {
      tenants: this.tenants,
      now: () => performance.now(),
    });
    this.#redis = new RedisMetrics(make, readings.redis);
    this.#attempts = new AttemptMetrics(make);
    serverGauges(make, readings, this.models);
    this.#keyLookups = make.tally(
      'sluice_key_lookups_total',
      'Keys checked, by where the answer came from.',
      ['outcome'],
    );
    this.#cacheReads = make.tally(
      'sluice_response_cache_total',
      'Requests for models that have a cache, by where their answer came from.',
      ['result'],
    );
    this.#idempotentRequests = make.tally(
      'sluice_idempotency_total',
      'Requests with an Idempotency-Key, by what was found.',
      ['result'],
    );
    stateGauges(make, readings);
    configGauges(make, readings);
    processMetrics(this.registry, make);
  }

  /** Comes with every call. */
  keyLookup(outcome: string): void {
    this.#keyLookups.count(outcome);
  }

  /** Likewise. @param limit the one that refused, or empty */
  admissionDecided(tenant: string, outcome: string, limit: string): void {
    this.#admission.decided(tenant, outcome, limit);
  }

  limitsUsed(tenant: string, used: LimitsUsed): void {
    this.#admission.limitsUsed(tenant, used);
  }

  /** A ticket was closed with what its call has cost. @param model public name, or the path of a pass-through route */
  charged(tenant: string, model: string, reserved: Charge, settlement: Settlement): void {
    this.#charges.charged(tenant, model, reserved, settlement);
  }

  /** @param result `hit`, `miss`, `shared` or `bypass` */
  cacheAsked(result: string): void {
    this.#cacheReads.count(result);
  }

  /** @param result `begun`, `running`, `finished`, `mismatch`, `full` or `unavailable` */
  onceAsked(result: string): void {
    this.#idempotentRequests.count(result);
  }

  ticketsSettled(found: readonly string[]): void {
    this.#admission.settled(found);
  }

  ticketsLost(count: number): void {
    this.#admission.lost(count);
  }

  slotsRetaken(count: number): void {
    this.#admission.slotsRetaken(count);
  }

  settlementsDropped(count: number): void {
    this.#admission.dropped(count);
  }

  estimateErred(model: string, kind: 'input' | 'output', ratio: number): void {
    this.#charges.estimateErred(model, kind, ratio);
  }

  redisAsked(kind: string, seconds: number, outcome: string): void {
    this.#redis.asked(kind, seconds, outcome);
  }

  probed(upstream: string, result: string, seconds: number): void {
    this.#attempts.probed(upstream, result, seconds);
  }

  /** Takes over a batch of ended calls of clients. */
  calls(batch: readonly EndedCall[]): void {
    for (const ended of batch) {
      this.#calls.ended(ended);
      this.#attempts.ended(ended.call);
    }
  }

  /** The call of a job has ended. */
  jobCall(call: Call): void {
    this.#attempts.ended(call);
  }

  async text(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.registry.contentType, text: await exposition(this.registry) };
  }
}

function stateGauges(make: MetricMaker, readings: Readings): void {
  make.gauge('sluice_requests_in_flight', 'Requests that have begun and not ended.', () =>
    readings.requestsInFlight(),
  );
  make.gauge('sluice_streams_open', 'Streams among the requests in flight.', () => readings.streamsOpen());
  make.gauge('sluice_draining', '1 once the replica has been told to end.', () =>
    Number(readings.draining()),
  );
  make.gauge('sluice_replicas', 'Gateways seen alive, this one among them.', () => readings.replicas());
  make.gauge(
    'sluice_installation_lost',
    '1 while Redis does not hold the data that this cluster has worked with.',
    () => Number(readings.installationLost()),
  );
  make.gauge(
    'sluice_calls_waiting',
    'Calls that wait because all servers of their model are at their bound.',
    () => readings.callsWaiting(),
  );
}

function configGauges(make: MetricMaker, { config }: Readings): void {
  make.gauge(
    'sluice_config_last_reload_successful',
    '1 where the configuration that was read last had no faults.',
    () => Number(config().isLastOk),
  );
  make.gauge(
    'sluice_config_last_reload_success_timestamp_seconds',
    'Since 1970, when the configuration that holds was read.',
    () => config().sinceMs / 1_000,
  );
}
