/**
 * The process itself. Not prom-client's own set: that lists all sockets with each scrape, which holds up the event loop
 * when there are many, and some of its names break the rules that promtool checks.
 */
import { readdir, readFile } from 'node:fs/promises';
import { constants, PerformanceObserver, performance } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';
import type { MetricMaker } from './maker.ts';

const DELAY_EVERY_MS = 20;
const DELAY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const COLLECTION_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

const collectionKinds = new Map([
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
]);

/** Watches until the process ends; nothing of it keeps the process alive. */
export function processMetrics(registry: Registry, make: MetricMaker): void {
  eventLoop(make);
  collections(make);
  memory(make);
  descriptors(registry);
  const startedAtSeconds = performance.timeOrigin / 1_000;
  make.gauge('process_start_time_seconds', 'Since 1970, when the process began.', () => startedAtSeconds);
  make.counters('process_cpu_seconds_total', 'Of all its threads, in user and system mode.', [], (put) => {
    const { user, system } = process.cpuUsage();
    put({}, (user + system) / 1e6);
  });
}

function eventLoop(make: MetricMaker): void {
  const delays = make.spread(
    'sluice_event_loop_delay_seconds',
    `How late a timer fires that is due every ${DELAY_EVERY_MS} ms.`,
    [],
    DELAY_SECONDS,
  );
  let firedAtMs = performance.now();
  setInterval(() => {
    const nowMs = performance.now();
    delays.add('', Math.max(0, nowMs - firedAtMs - DELAY_EVERY_MS) / 1_000);
    firedAtMs = nowMs;
  }, DELAY_EVERY_MS).unref();
  make.counters('sluice_event_loop_active_seconds_total', 'Time in which the event loop worked.', [], (put) =>
    put({}, performance.eventLoopUtilization().active / 1_000),
  );
}

function collections(make: MetricMaker): void {
  const durations = make.spread(
    'nodejs_gc_duration_seconds',
    'Of one garbage collection, by kind.',
    ['kind'],
    COLLECTION_SECONDS,
  );
  for (const kind of collectionKinds.values()) durations.begin(kind);
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { detail, duration } = entry as typeof entry & { readonly detail: { readonly kind: number } };
      const kind = collectionKinds.get(detail.kind);
      if (kind) durations.add(kind, duration / 1_000);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
}

function memory(make: MetricMaker): void {
  const read = () => process.memoryUsage();
  make.gauge('process_resident_memory_bytes', 'Memory that is in RAM.', () => process.memoryUsage.rss());
  make.gauge('nodejs_heap_size_used_bytes', 'Of the JavaScript heap, what is used.', () => read().heapUsed);
  make.gauge('nodejs_heap_size_total_bytes', 'Of the JavaScript heap, all of it.', () => read().heapTotal);
  make.gauge('nodejs_external_memory_bytes', 'In buffers outside of the heap.', () => read().external);
}

/** Linux alone says it in files; elsewhere these are absent. */
function descriptors(registry: Registry): void {
  fromSystem(registry, 'process_open_fds', 'Files and connections that are open.', openDescriptors);
  fromSystem(registry, 'process_max_fds', 'Files and connections that may be open.', descriptorsMax);
}

function fromSystem(
  registry: Registry,
  name: string,
  help: string,
  read: () => Promise<number | undefined>,
): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    async collect() {
      const value = await read().catch(() => undefined);
      if (value === undefined) this.remove();
      else this.set(value);
    },
  });
}

async function openDescriptors(): Promise<number> {
  // One of them is the folder itself.
  return (await readdir('/proc/self/fd')).length - 1;
}

async function descriptorsMax(): Promise<number | undefined> {
  const limit = /^Max open files +(\d+)/m.exec(await readFile('/proc/self/limits', 'utf8'))?.[1];
  return limit === undefined ? undefined : Number(limit);
}
