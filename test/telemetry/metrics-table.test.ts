/** Every metric is documented with its labels, its type and a question, and no other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Registry } from 'prom-client';
import { certificateMetrics } from '../../src/telemetry/certificate-metrics.ts';
import { JobMetrics } from '../../src/telemetry/job-metrics.ts';
import { traceMetrics } from '../../src/telemetry/tracing.ts';
import { webhookMetrics } from '../../src/telemetry/webhook-metrics.ts';
import { metricsOf } from './readings.ts';

interface Documented {
  readonly name: string;
  readonly type: string;
  readonly processes: string;
  readonly question: string;
}

const rows = documented();

test('METRICS.md lists each metric with its type and labels, and none that there is not', async () => {
  const listed = rows.map(({ name, type }) => `${type} ${name}`);
  assert.deepEqual(listed.toSorted(), (await offered(registryOfAll())).toSorted());
});

test('METRICS.md says of each metric which question it answers and where it stands', () => {
  for (const { name, processes, question } of rows) {
    assert.match(question, /\?/, `${name} answers a question`);
    assert.match(processes, /^(G|W|GW)$/, `${name} stands in a process`);
  }
});

test('every metric of ours, and none of others, has a name of ours', () => {
  const others = rows.filter(({ name }) => !name.startsWith('sluice_')).map(({ name }) => name);
  for (const name of others) assert.match(name, /^(process|nodejs)_/);
});

function registryOfAll(): Registry {
  const metrics = metricsOf();
  new JobMetrics(metrics, { queue: () => undefined, running: () => 0, concurrency: () => 0 });
  webhookMetrics(metrics.registry, metrics.make, async () => undefined);
  certificateMetrics(metrics.make, { endsAtMs: 0 });
  traceMetrics(metrics.registry, { spans: { exported: 0, lost: 0 } });
  return metrics.registry;
}

/** `counter sluice_requests_total{route,…}` */
async function offered(registry: Registry): Promise<string[]> {
  return registry.getMetricsAsArray().map((metric) => {
    const labels = 'labelNames' in metric ? (metric.labelNames as string[]) : [];
    const name = labels.length > 0 ? `${metric.name}{${labels.join(',')}}` : metric.name;
    return `${metric.type} ${name}`;
  });
}

function documented(): Documented[] {
  const text = readFileSync(new URL('../../METRICS.md', import.meta.url), 'utf8');
  const found = text.split('\n').filter((line) => /^\| `(sluice|process|nodejs)_/.test(line));
  return found.map((row) => {
    const [, name = '', type = '', processes = '', question = ''] = row.split('|').map((cell) => cell.trim());
    return { name: name.slice(1, -1), type: type.split(',')[0] ?? '', processes, question };
  });
}
