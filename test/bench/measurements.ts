/** What is measured, on which scale, and what the gateway must reach. */
import type { Bench } from './bench.ts';
import type { Contestant, ContestantName } from './contestants.ts';
import type { CallLoad, CallResult } from './load.ts';
import { residentBytes } from './processes.ts';
import type { RedisTime } from './redis-time.ts';
import { type Bound, type Column, type Figures, percent, tenths, whole } from './report.ts';
import type { RequestShape } from './requests.ts';

export type Topic = 'chat' | 'large' | 'streams' | 'memory' | 'routing';

/** How long each round takes. */
export interface Timing {
  readonly warmupMs: number;
  readonly durationMs: number;
}

export interface Measurement {
  readonly topic: Topic;
  readonly title: string;
  readonly conditions: string;
  readonly columns: readonly Column[];
  readonly bounds: readonly Bound[];
  readonly rounds: 'short' | 'long';
  /** Started for each round: a process that has held many streams keeps some of their memory. */
  readonly freshProcesses: boolean;
  readonly contestants: readonly ContestantName[];
  measure(bench: Bench, contestant: Contestant, timing: Timing): Promise<Figures>;
}

const everyone: readonly ContestantName[] = ['direct', 'nginx', 'bare', 'open', 'gateway'];
const relaying: readonly ContestantName[] = ['direct', 'nginx', 'bare', 'gateway'];

interface CallScale {
  readonly shape: RequestShape;
  readonly connections: number;
  /** Well below what any contestant can bear, so that latency is its own and not that of a queue. */
  readonly steadyRequestsPerSecond: number;
}

function calls({ shape, connections, steadyRequestsPerSecond }: CallScale): Measurement['measure'] {
  return async (bench, contestant, timing) => {
    const load: Omit<CallLoad, 'kind' | 'target' | 'requestsPerSecond'> = { shape, connections, ...timing };
    const before = await contestant.redisTime?.();
    const full = await bench.calls(contestant, { ...load, requestsPerSecond: null });
    const after = await contestant.redisTime?.();
    const steady = await bench.calls(contestant, {
      ...load,
      durationMs: timing.durationMs / 2,
      requestsPerSecond: steadyRequestsPerSecond,
    });
    const warmed = full.requests + full.requests * (timing.warmupMs / timing.durationMs);
    const redis = (of: keyof RedisTime) => (before && after ? (after[of] - before[of]) / warmed : Number.NaN);
    return {
      ...callFigures(full, steady),
      scripts: redis('scriptMicroseconds'),
      redis: redis('cpuMicroseconds'),
      redisFull: 1e6 / redis('cpuMicroseconds'),
    };
  };
}

function callFigures(full: CallResult, steady: CallResult): Figures {
  return {
    perSecond: full.requests / full.seconds,
    cpu: (full.proxyCpuSeconds / full.requests) * 1e6,
    perCore: full.requests / full.proxyCpuSeconds,
    proxyCore: full.proxyCpuSeconds / full.seconds,
    feedingCore: full.feedingCpuSeconds / full.seconds,
    others: full.otherCpuSeconds / full.seconds,
    p50: steady.latencyMicroseconds.p50,
    p99: steady.latencyMicroseconds.p99,
  };
}

const callColumns: readonly Column[] = [
  { key: 'perSecond', title: 'requests/s', show: whole },
  { key: 'cpu', title: 'CPU µs/request', show: tenths },
  { key: 'perCore', title: 'requests/CPU s', show: whole },
  { key: 'proxyCore', title: 'proxy core', show: percent, circumstance: true },
  { key: 'feedingCore', title: 'feeding core', show: percent, circumstance: true },
  { key: 'others', title: 'others', show: percent, circumstance: true },
  { key: 'p50', title: 'added p50 µs', show: tenths, added: true },
  { key: 'p99', title: 'added p99 µs', show: tenths, added: true },
  { key: 'scripts', title: 'Redis scripts µs', show: tenths, circumstance: true },
  { key: 'redis', title: 'Redis CPU µs', show: tenths, circumstance: true },
  { key: 'redisFull', title: 'Redis core full at/s', show: whole, circumstance: true },
];

function streams(count: number, tokensPerSecond: number): Measurement['measure'] {
  return async (bench, contestant, timing) => {
    const result = await bench.streams(contestant, tokensPerSecond, { streams: count, ...timing });
    return {
      perSecond: result.tokens / result.seconds,
      cpu: (result.proxyCpuSeconds / result.tokens) * 1e6,
      perCore: result.tokens / result.proxyCpuSeconds,
      proxyCore: result.proxyCpuSeconds / result.seconds,
      feedingCore: result.feedingCpuSeconds / result.seconds,
      others: result.otherCpuSeconds / result.seconds,
      p50: result.delayMicroseconds.p50,
      p99: result.delayMicroseconds.p99,
      firstP99: result.firstTokenMicroseconds.p99 / 1_000,
    };
  };
}

const streamColumns: readonly Column[] = [
  { key: 'perSecond', title: 'tokens/s', show: whole },
  { key: 'cpu', title: 'CPU µs/token', show: tenths },
  { key: 'perCore', title: 'tokens/CPU s', show: whole },
  { key: 'proxyCore', title: 'proxy core', show: percent, circumstance: true },
  { key: 'feedingCore', title: 'feeding core', show: percent, circumstance: true },
  { key: 'others', title: 'others', show: percent, circumstance: true },
  { key: 'p50', title: 'delay p50 µs', show: whole },
  { key: 'p99', title: 'delay p99 µs', show: whole },
  { key: 'firstP99', title: 'first token p99 ms', show: whole },
];

const MEMORY_STREAMS = 4_000;

/** The load before it is light: a heap that a storm has blown up would swallow the streams and show nothing. */
async function memory(bench: Bench, contestant: Contestant, timing: Timing): Promise<Figures> {
  const warm = { ...timing, durationMs: 1_000 };
  await bench.calls(contestant, { shape: 'chat', connections: 32, requestsPerSecond: 200, ...warm });
  await bench.streams(contestant, 20, { streams: 100, ...warm });
  const beforeBytes = residentBytes(contestant.pids);
  const result = await bench.streams(contestant, 1, { streams: MEMORY_STREAMS, ...timing });
  return {
    perStream: (result.proxyResidentBytes - beforeBytes) / MEMORY_STREAMS / 1024,
    before: beforeBytes / 1024 / 1024,
    after: result.proxyResidentBytes / 1024 / 1024,
    perSecond: result.tokens / result.seconds,
    firstP99: result.firstTokenMicroseconds.p99 / 1_000,
  };
}

const memoryColumns: readonly Column[] = [
  { key: 'perStream', title: 'KB/stream', show: tenths },
  { key: 'before', title: 'MB before', show: whole },
  { key: 'after', title: 'MB with them', show: whole },
  { key: 'perSecond', title: 'tokens/s', show: whole },
  { key: 'firstP99', title: 'first token p99 ms', show: whole },
];

export const measurements: readonly Measurement[] = [
  {
    topic: 'routing',
    title: 'Choice of a server',
    conditions: 'chat calls of 600 bytes, 32 connections; probes and load reports on',
    columns: callColumns,
    bounds: [
      { of: 'routed', figure: 'cpu', over: 'gateway', moreAtMost: 20 },
      { of: 'drawn', figure: 'cpu', over: 'gateway', moreAtMost: 20 },
    ],
    rounds: 'short',
    freshProcesses: false,
    contestants: ['direct', 'gateway', 'routed', 'drawn'],
    measure: calls({ shape: 'chat', connections: 32, steadyRequestsPerSecond: 1_000 }),
  },
  {
    topic: 'chat',
    title: 'Chat call of 600 bytes',
    conditions: '32 connections; latency at 1,000 requests/s',
    columns: callColumns,
    bounds: [
      { of: 'open', figure: 'cpu', over: 'bare', atMost: 1.3 },
      { of: 'open', figure: 'perSecond', over: 'bare', atLeast: 0.75 },
      { of: 'open', figure: 'perSecond', over: 'nginx', atLeast: 0.2 },
      { of: 'open', figure: 'perCore', over: 'nginx', atLeast: 0.2 },
      { of: 'gateway', figure: 'cpu', over: 'open', atMost: 1.7 },
      { of: 'gateway', figure: 'cpu', over: 'bare', atMost: 2.1 },
      { of: 'gateway', figure: 'scripts', over: null, atMost: 60 },
    ],
    rounds: 'short',
    freshProcesses: false,
    contestants: everyone,
    measure: calls({ shape: 'chat', connections: 32, steadyRequestsPerSecond: 1_000 }),
  },
  {
    topic: 'large',
    title: 'Chat call of 1 MB',
    conditions: '8 connections; latency at 50 requests/s',
    columns: callColumns,
    bounds: [],
    rounds: 'short',
    freshProcesses: false,
    contestants: relaying,
    measure: calls({ shape: 'large', connections: 8, steadyRequestsPerSecond: 50 }),
  },
  {
    topic: 'streams',
    title: '500 streams',
    conditions: '20 tokens/s each',
    columns: streamColumns,
    bounds: [{ of: 'gateway', figure: 'cpu', over: 'nginx', atMost: 2 }],
    rounds: 'long',
    freshProcesses: false,
    contestants: relaying,
    measure: streams(500, 20),
  },
  {
    topic: 'streams',
    title: '1,000 streams',
    conditions: '20 tokens/s each',
    columns: streamColumns,
    bounds: [
      { of: 'gateway', figure: 'cpu', over: 'nginx', atMost: 2 },
      { of: 'gateway', figure: 'p99', over: 'nginx', atMost: 2.5 },
    ],
    rounds: 'long',
    freshProcesses: false,
    contestants: relaying,
    measure: streams(1_000, 20),
  },
  {
    topic: 'memory',
    title: `${MEMORY_STREAMS.toLocaleString('en')} streams`,
    conditions: '1 token/s each, in a new process that has served before',
    columns: memoryColumns,
    bounds: [{ of: 'gateway', figure: 'perStream', over: null, atMost: 40 }],
    rounds: 'long',
    freshProcesses: true,
    contestants: ['nginx', 'bare', 'gateway'],
    measure: memory,
  },
];
