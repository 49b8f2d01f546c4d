/** What a worker says of the queue and of its runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EndedRun, JobMetrics, type JobReadings } from '../../src/telemetry/job-metrics.ts';
import { metricsOf as processMetricsOf } from './readings.ts';

const line = { line: 'glm', waiting: 3, oldestMs: 90_000, handed: 2, parkedTenants: 1 };
const reading = { jobs: 5, bytes: 1_000, drainedAtMs: undefined, lines: [line] };

function metricsOf(queue: JobReadings['queue']): { metrics: JobMetrics; text: () => Promise<string> } {
  const base = processMetricsOf();
  const metrics = new JobMetrics(base, { queue, running: () => 2, concurrency: () => 8 });
  return { metrics, text: async () => (await base.text()).text };
}

function run(more: Partial<EndedRun>): EndedRun {
  return {
    ...{ outcome: 'completed', reason: '', model: 'glm', tenant: 'acme', waitSeconds: 2, runSeconds: 1 },
    ...more,
  };
}

test('how full the queue is stands in the metrics, and nothing of it once Redis has not said lately', async () => {
  let isKnown = true;
  const { text } = metricsOf(() => (isKnown ? reading : undefined));
  const known = await text();
  assert.match(known, /^sluice_jobs_waiting\{line="glm"\} 3$/m);
  assert.match(known, /^sluice_jobs_oldest_seconds\{line="glm"\} 90$/m);
  assert.match(known, /^sluice_jobs_unfinished 5$/m);
  assert.match(known, /^sluice_jobs_drained 0$/m);
  isKnown = false;
  const unknown = await text();
  assert.doesNotMatch(unknown, /^sluice_jobs_\w+(\{.*\})? \d/m);
  assert.match(unknown, /^sluice_worker_jobs_running 2$/m);
});

test('the wait of a job counts once, with the run that ends it', async () => {
  const { metrics, text } = metricsOf(() => reading);
  metrics.ran(run({ outcome: 'put_back', reason: 'limits', runSeconds: undefined, waitSeconds: 1 }));
  metrics.ran(run({ outcome: 'tried_again', reason: 'upstream_error' }));
  metrics.ran(run({ waitSeconds: 40 }));
  const shown = await text();
  assert.match(shown, /^sluice_job_wait_seconds_count\{model="glm"\} 1$/m);
  assert.match(shown, /^sluice_job_wait_seconds_sum\{model="glm"\} 40$/m);
  assert.match(shown, /^sluice_job_run_seconds_count\{model="glm"\} 2$/m);
  assert.match(shown, /^sluice_job_attempts_total\{model="glm",outcome="put_back",reason="limits"\} 1$/m);
});

test('however many tenants there are, some hundred series tell of them', async () => {
  const { metrics, text } = metricsOf(() => reading);
  for (let count = 0; count < 1_000; count += 1) metrics.ran(run({ tenant: `tenant-${count}` }));
  const rows = (await text()).split('\n').filter((row) => row.startsWith('sluice_tenant_jobs_total{'));
  assert.equal(rows.length, 101);
  assert.ok(rows.some((row) => row.includes('tenant="other"') && row.endsWith(' 900')));
});
