/** What the processes say of themselves and of what they need, put together. */
import type { Reading, Round } from './processes.ts';

export interface ProcessState {
  readonly url: string;
  readonly role: 'gateway' | 'worker';
  /** ok, starting or draining. */
  readonly state: string;
  readonly ready: boolean;
  readonly release: string | null;
  readonly upSeconds: number | null;
  readonly memoryBytes: number | null;
  /** Requests in flight; of a worker its jobs. */
  readonly inFlight: number | null;
  readonly redis: string;
  /** That of jobs. */
  readonly queueRedis: string;
}

export interface UpstreamState {
  readonly name: string;
  /** The worst that a process says: servers fail for one replica before they fail for all. */
  readonly state: string;
  /** Calls of all processes that were asked. */
  readonly inFlight: number;
  /** Null: without bound. */
  readonly places: number | null;
  /** By the server's own metrics, of anyone. */
  readonly running: number | null;
  readonly waiting: number | null;
}

const badness = ['up', 'trial', 'draining', 'ejected', 'down'];

/** @param nowMs wall clock */
export function processStates({ readings }: Round, nowMs: number): ProcessState[] {
  return readings.map(({ url, readiness, samples }) => {
    const startedAt = samples.value('process_start_time_seconds');
    return {
      url,
      role: readiness.worker === undefined ? 'gateway' : 'worker',
      state: readiness.gateway ?? readiness.worker ?? 'unknown',
      ready: readiness.status === 'ready',
      release: samples.of('sluice_build_info')[0]?.labels.version ?? null,
      upSeconds: startedAt === undefined ? null : Math.max(0, Math.round(nowMs / 1_000 - startedAt)),
      memoryBytes: samples.value('process_resident_memory_bytes') ?? null,
      inFlight: samples.value('sluice_requests_in_flight') ?? null,
      redis: readiness.redis,
      queueRedis: readiness.queue,
    };
  });
}

/** Gateways that gateways see alive, themselves among them; null: none has said. */
export function gatewaysAlive({ readings }: Round): number | null {
  const gateways = readings.filter(({ readiness }) => readiness.worker === undefined);
  const seen = gateways.flatMap(({ samples }) => samples.value('sluice_replicas') ?? []);
  return seen.length > 0 ? Math.max(...seen) : null;
}

/** In the order of their names. */
export function upstreamStates({ readings }: Round): UpstreamState[] {
  const names = new Set(readings.flatMap(({ readiness }) => Object.keys(readiness.upstreams)));
  return [...names].sort().map((name) => {
    const told = (metric: string, state?: string) =>
      readings.flatMap(({ samples }) =>
        samples
          .of(metric)
          .filter(({ labels }) => labels.upstream === name && (state ?? labels.state) === labels.state)
          .map(({ value }) => value),
      );
    const places = told('sluice_upstream_places');
    return {
      name,
      state: worstOf(readings, name),
      inFlight: sum(told('sluice_upstream_in_flight')),
      places: places.length > 0 ? sum(places) : null,
      running: highest(told('sluice_upstream_reported_requests', 'running')),
      waiting: highest(told('sluice_upstream_reported_requests', 'waiting')),
    };
  });
}

function worstOf(readings: readonly Reading[], name: string): string {
  const states = readings.flatMap(({ samples, readiness }) => {
    const state = samples
      .of('sluice_upstream_state')
      .find(({ labels, value }) => labels.upstream === name && value === 1)?.labels.state;
    // Before the first probe, or where there are no metrics.
    const health = readiness.upstreams[name];
    return state ?? (health === undefined ? [] : health === 'healthy' ? 'up' : 'down');
  });
  return badness[Math.max(...states.map((state) => badness.indexOf(state)))] ?? 'unknown';
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function highest(values: readonly number[]): number | null {
  return values.length > 0 ? Math.max(...values) : null;
}
