/** Every metric is documented with its labels and a question, and no other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { JobMetrics } from '../../src/telemetry/job-metrics.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { webhookMetrics } from '../../src/telemetry/webhook-metrics.ts';

test('OPERATIONS.md lists each metric with its labels and the question that it answers', () => {
  assert.deepEqual(documented().toSorted(), offered().toSorted());
});

function offered(): string[] {
  const { registry } = new Metrics({
    requestsInFlight: () => 0,
    streamsOpen: () => 0,
    redisUp: () => true,
    draining: () => false,
    ticketsOpen: () => 0,
    settlementsWaiting: () => 0,
    replicas: () => 1,
    installationLost: () => false,
    callsWaiting: () => 0,
    upstreams: () => [],
    models: () => [],
  });
  new JobMetrics(registry, { queue: () => undefined, running: () => 0, concurrency: () => 0 });
  webhookMetrics(registry, async () => undefined);
  const own = registry.getMetricsAsArray().filter(({ name }) => name.startsWith('sluice_'));
  return own.map((metric) => {
    const labels = 'labelNames' in metric ? (metric.labelNames as string[]) : [];
    return labels.length > 0 ? `${metric.name}{${labels.join(',')}}` : metric.name;
  });
}

/** From the first column of the table below the heading, in which a row may name several. */
function documented(): string[] {
  const text = readFileSync(new URL('../../OPERATIONS.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split(/^## Metrics$/m);
  const [body = ''] = section.split(/^## /m);
  const rows = body.split('\n').filter((line) => line.startsWith('| `sluice_'));
  return rows.flatMap((row) => {
    const [, names = '', question = ''] = row.split('|');
    assert.match(question, /\?/, `${names} has a question`);
    return [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
  });
}
