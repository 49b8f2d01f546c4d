/** What `top` shows: the state of the cluster, and what has come in the last seconds. */
import {
  gatewaysAlive,
  type ProcessState,
  processStates,
  type UpstreamState,
  upstreamStates,
} from './cluster-state.ts';
import { type Pair, pairsOf, quantiles, rate, rates } from './increase.ts';
import type { Round, Silence } from './processes.ts';
import type { QueueState } from './queue.ts';
import type { Sample } from './samples.ts';

/** Seconds; NaN: nothing came. */
export interface Latency {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export interface UpstreamFigures extends UpstreamState {
  readonly attemptsPerSecond: number;
  readonly failuresPerSecond: number;
}

export interface TenantFigures {
  readonly name: string;
  readonly requestsPerSecond: number;
  readonly failuresPerSecond: number;
  readonly limitedPerSecond: number;
  readonly tokensPerSecond: number;
  readonly usdPerHour: number;
}

/** Rates are NaN where there is no earlier round to compare with. */
export interface Figures {
  readonly processes: readonly ProcessState[];
  readonly silent: readonly Silence[];
  readonly gatewaysAlive: number | null;
  readonly requestsPerSecond: number;
  readonly inFlight: number;
  readonly streams: number;
  /** Calls that wait for a place at a GPU server. */
  readonly waiting: number;
  readonly errorsPerSecond: {
    readonly client: number;
    readonly limit: number;
    readonly upstream: number;
    readonly us: number;
  };
  readonly tokensPerSecond: { readonly input: number; readonly output: number; readonly cached: number };
  readonly usdPerHour: number;
  readonly duration: Latency;
  readonly firstToken: Latency;
  readonly overhead: Latency;
  readonly queue: QueueState | null;
  readonly jobsRunning: number;
  readonly upstreams: readonly UpstreamFigures[];
  /** Those that ask most come first. */
  readonly tenants: readonly TenantFigures[];
}

/** @param nowMs wall clock */
export function figuresOf(
  now: Round,
  before: Round | undefined,
  queue: QueueState | undefined,
  nowMs: number,
): Figures {
  const pairs = pairsOf(now, before);
  const processes = processStates(now, nowMs);
  const sum = (name: string) => sumOf(now, name);
  const ofRole = (role: string) => processes.filter((one) => one.role === role);
  const inFlight = (role: string) => ofRole(role).reduce((total, one) => total + (one.inFlight ?? 0), 0);
  return {
    processes,
    silent: now.silent,
    gatewaysAlive: gatewaysAlive(now),
    requestsPerSecond: rate(pairs, 'sluice_requests_total'),
    inFlight: inFlight('gateway'),
    streams: sum('sluice_streams_open'),
    waiting: sum('sluice_calls_waiting'),
    errorsPerSecond: errorRates(pairs),
    tokensPerSecond: {
      input: rate(pairs, 'sluice_tokens_total', ofKind('input')),
      output: rate(pairs, 'sluice_tokens_total', ofKind('output')),
      cached: rate(pairs, 'sluice_tokens_total', ofKind('cached')),
    },
    usdPerHour: rate(pairs, 'sluice_cost_usd_total') * 3_600,
    duration: latency(pairs, 'sluice_request_duration_seconds'),
    firstToken: latency(pairs, 'sluice_time_to_first_token_seconds'),
    overhead: latency(pairs, 'sluice_gateway_overhead_seconds'),
    queue: queue ?? null,
    jobsRunning: inFlight('worker'),
    upstreams: upstreamFigures(now, pairs),
    tenants: tenantFigures(pairs),
  };
}

function sumOf({ readings }: Round, name: string): number {
  return readings.reduce((total, { samples }) => total + (samples.value(name) ?? 0), 0);
}

function ofKind(kind: string): (labels: Sample['labels']) => boolean {
  return (labels) => labels.kind === kind;
}

function errorRates(pairs: readonly Pair[]): Figures['errorsPerSecond'] {
  const of = (blame: string) => rate(pairs, 'sluice_requests_total', (labels) => labels.blame === blame);
  return { client: of('client'), limit: of('limit'), upstream: of('upstream'), us: of('us') };
}

function latency(pairs: readonly Pair[], name: string): Latency {
  const [p50 = Number.NaN, p95 = Number.NaN, p99 = Number.NaN] = quantiles(pairs, name, [0.5, 0.95, 0.99]);
  return { p50, p95, p99 };
}

function upstreamFigures(now: Round, pairs: readonly Pair[]): UpstreamFigures[] {
  const name = 'sluice_upstream_attempts_total';
  const attempts = rates(pairs, name, ({ upstream }) => upstream);
  // Who was given up had not failed: his caller left, or another server was faster.
  const isFailure = (result: string | undefined) => result !== 'answered' && result !== 'given_up';
  const failures = rates(pairs, name, ({ upstream, result }) => (isFailure(result) ? upstream : undefined));
  const nothing = pairs.length === 0 ? Number.NaN : 0;
  return upstreamStates(now).map((state) => ({
    ...state,
    attemptsPerSecond: attempts.get(state.name) ?? nothing,
    failuresPerSecond: failures.get(state.name) ?? nothing,
  }));
}

function tenantFigures(pairs: readonly Pair[]): TenantFigures[] {
  const byTenant = (metric: string, counts: (labels: Sample['labels']) => boolean = () => true) =>
    rates(pairs, metric, (labels) => (counts(labels) ? labels.tenant : undefined));
  const requests = byTenant('sluice_tenant_requests_total');
  const isFailure = (outcome: string | undefined) => outcome === 'refused' || outcome === 'broken';
  const failures = byTenant('sluice_tenant_requests_total', ({ outcome }) => isFailure(outcome));
  const limited = byTenant('sluice_tenant_limited_total');
  const tokens = byTenant('sluice_tenant_tokens_total', ({ kind }) => kind !== 'cached');
  const cost = byTenant('sluice_tenant_cost_usd_total');
  return [...new Set([...requests.keys(), ...tokens.keys()])]
    .map((name) => ({
      name,
      requestsPerSecond: requests.get(name) ?? 0,
      failuresPerSecond: failures.get(name) ?? 0,
      limitedPerSecond: limited.get(name) ?? 0,
      tokensPerSecond: tokens.get(name) ?? 0,
      usdPerHour: (cost.get(name) ?? 0) * 3_600,
    }))
    .filter((one) => one.requestsPerSecond > 0 || one.tokensPerSecond > 0)
    .sort((one, other) => {
      const byRequests = other.requestsPerSecond - one.requestsPerSecond;
      return byRequests || other.tokensPerSecond - one.tokensPerSecond || (one.name < other.name ? -1 : 1);
    });
}
