/** What the load generator is asked and what it answers. */
import { cpuSeconds, machineCpuSeconds } from './processes.ts';
import type { Destination, RequestShape } from './requests.ts';

export interface Target extends Destination {
  /** Of the proxy under test; none when the generator speaks to the upstream itself. */
  readonly pids: readonly number[];
  /** Of the generator and the upstream. */
  readonly feedingPids: readonly number[];
}

export interface CallLoad {
  readonly kind: 'calls';
  readonly target: Target;
  readonly shape: RequestShape;
  readonly connections: number;
  /** null: every connection asks again as soon as it has its answer. */
  readonly requestsPerSecond: number | null;
  readonly warmupMs: number;
  readonly durationMs: number;
}

export interface StreamLoad {
  readonly kind: 'streams';
  readonly target: Target;
  readonly streams: number;
  /** From the last stream's first token to the beginning of what is measured. */
  readonly warmupMs: number;
  readonly durationMs: number;
}

export type Load = CallLoad | StreamLoad;

interface CpuUse {
  readonly seconds: number;
  readonly proxyCpuSeconds: number;
  readonly feedingCpuSeconds: number;
  /** Of everybody else on the machine: where it is high, the round says little. */
  readonly otherCpuSeconds: number;
}

export interface CallResult extends CpuUse {
  readonly requests: number;
  readonly latencyMicroseconds: Percentiles;
}

export interface StreamResult extends CpuUse {
  readonly tokens: number;
  /** From the upstream's write to the generator's read. */
  readonly delayMicroseconds: Percentiles;
  readonly firstTokenMicroseconds: Percentiles;
  /** While all streams are open. */
  readonly proxyResidentBytes: number;
}

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

export function percentiles(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Begins to count; the function that it returns ends it. */
export function countCpu(target: Target): () => CpuUse {
  const startedAt = performance.now();
  const proxyBefore = cpuSeconds(target.pids);
  const feedingBefore = cpuSeconds(target.feedingPids);
  const machineBefore = machineCpuSeconds();
  return () => {
    const seconds = (performance.now() - startedAt) / 1_000;
    const proxyCpuSeconds = cpuSeconds(target.pids) - proxyBefore;
    const feedingCpuSeconds = cpuSeconds(target.feedingPids) - feedingBefore;
    const others = machineCpuSeconds() - machineBefore - proxyCpuSeconds - feedingCpuSeconds;
    return { seconds, proxyCpuSeconds, feedingCpuSeconds, otherCpuSeconds: Math.max(0, others) };
  };
}
