/** Every panel and every rule says something of a live cluster, in a real Prometheus, or is listed with the reason. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { dashboards } from '../../grafana/build.ts';
import { until } from '../support/gateway.ts';
import { missingPrograms } from '../support/programs.ts';
import { REDIS_TIMEOUT_MS, startCluster, type WatchedCluster } from './support/cluster.ts';
import { type Expression, metricsIn, ofPanels, ofRules } from './support/expressions.ts';
import { startLoad } from './support/load.ts';
import { type Sample, startPrometheus, type TestPrometheus } from './support/prometheus.ts';
import { readRules } from './support/rules.ts';
import { silent } from './support/silent.ts';

const EVERY_SECONDS = 1;
/** Of rates: some scrapes of it are certain. */
const WINDOW = '15s';
const LIMIT_MS = 45_000;
/** Longer than a question to Redis may take, so that some get no answer. */
const REDIS_AWAY_MS = 2 * REDIS_TIMEOUT_MS;
/** Made by Prometheus itself, or announced in METRICS.md for listeners that speak TLS. */
const OTHERS = [
  'up',
  'scrape_duration_seconds',
  'ALERTS',
  'sluice_tls_certificate_expires_timestamp_seconds',
];

const expressions = [...ofPanels(dashboards, WINDOW), ...ofRules()];

test('every expression says something of a live cluster', {
  skip: missingPrograms('prometheus'),
}, async (t) => {
  const ends = new AsyncDisposableStack();
  t.after(() => ends.disposeAsync());
  const cluster = await startCluster(ends);
  const prometheus = await startPrometheus(
    { gateways: cluster.gateways.map(({ adminUrl }) => adminUrl), workers: [cluster.workerAdminUrl] },
    EVERY_SECONDS,
  );
  ends.defer(() => prometheus.stop());
  const load = startLoad(cluster);
  ends.defer(() => load.stop());
  const isScraped = async () => (await prometheus.query('sluice_tenant_jobs_total')).length > 0;
  await until(isScraped, 'metrics of the load', LIMIT_MS);
  cluster.redis.pause();
  await new Promise((resolve) => setTimeout(resolve, REDIS_AWAY_MS));
  cluster.redis.resume();

  const mute = await askUntilAllSpeak(t, prometheus);
  assert.deepEqual(
    mute.filter(({ place }) => !(place in silent)).map(({ place, expr }) => `${place}: ${expr}`),
    [],
    'expressions without data that silent.ts does not list',
  );
  await t.test('and names only what there is', async () => {
    const known = new Set([...OTHERS, ...recorded(), ...(await offered(cluster))]);
    for (const { place, expr } of expressions) {
      for (const name of metricsIn(expr)) assert.ok(known.has(name), `${place} names ${name}`);
    }
  });
});

test('what is listed as silent is an expression that there is', () => {
  const places = expressions.map(({ place }) => place);
  for (const place of Object.keys(silent)) assert.ok(places.includes(place), place);
});

/** @returns those that have said nothing until the limit */
async function askUntilAllSpeak(t: TestContext, prometheus: TestPrometheus): Promise<readonly Expression[]> {
  const begunMs = performance.now();
  let mute: readonly Expression[] = expressions;
  while (mute.some(({ place }) => !(place in silent)) && performance.now() - begunMs < LIMIT_MS) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_SECONDS * 1_000));
    const still: Expression[] = [];
    for (const expression of mute) {
      if (!says(expression, await prometheus.query(expression.expr))) still.push(expression);
    }
    mute = still;
  }
  const seconds = Math.round((performance.now() - begunMs) / 1_000);
  t.diagnostic(
    `${expressions.length - mute.length} of ${expressions.length} expressions spoke in ${seconds} s`,
  );
  return mute;
}

/** Numbers, and each label that the legend names. A model without versions has none. */
function says({ labels }: Expression, samples: readonly Sample[]): boolean {
  return samples.some(
    (sample) =>
      !Number.isNaN(sample.value) &&
      labels.every((label) => label === 'version' || sample.labels[label] !== undefined),
  );
}

function recorded(): readonly string[] {
  return readRules()
    .filter(({ isAlert }) => !isAlert)
    .map(({ name }) => name);
}

async function offered({ gateways, workerAdminUrl }: WatchedCluster): Promise<readonly string[]> {
  const urls = [...gateways.map(({ adminUrl }) => adminUrl), workerAdminUrl];
  const texts = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
  return texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name));
}
