/** A collector that is dead or mute costs spans, which are counted, and one line in the log; calls do not notice. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { answerAsAsked } from '../http/answers.ts';
import { bearer, chat, send } from '../http/client.ts';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startUpstream } from '../support/upstream.ts';
import { startCollector } from './collector.ts';

const CALLS = 40;

async function startAt(t: TestContext, collectorUrl: string, timeoutMs: number) {
  const upstream = await startUpstream(answerAsAsked);
  t.after(() => upstream.stop());
  const gateway = await startGateway({
    config: {
      drain: { limit_seconds: 1, quiet_seconds: 0 },
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
    },
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl,
      OTEL_EXPORTER_OTLP_TIMEOUT: String(timeoutMs),
      OTEL_BSP_SCHEDULE_DELAY: '20',
      OTEL_BSP_MAX_QUEUE_SIZE: '8',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '4',
    },
  });
  t.after(() => gateway.stop());
  return gateway;
}

async function callMany(gateway: TestGateway): Promise<void> {
  const headers = bearer(gateway.key);
  const calls = Array.from({ length: CALLS }, () =>
    send(gateway.url, '/v1/chat/completions', { headers, body: chat() }),
  );
  for (const { status } of await Promise.all(calls)) assert.equal(status, 200);
}

const spansOf = (gateway: TestGateway, outcome: string) =>
  gateway.metric(`sluice_trace_spans_total{outcome="${outcome}"}`);

function times(text: string, message: string): number {
  return text.split(message).length - 1;
}

test('a dead collector costs spans and one line, and gets those that come when it is back', async (t) => {
  const found = await startCollector();
  await found.stop();
  const gateway = await startAt(t, found.url, 200);
  await callMany(gateway);
  // What fits into the queue is tried, the rest is lost at once.
  await until(async () => (await spansOf(gateway, 'lost')) === CALLS * 3);
  const back = await startCollector(undefined, Number(new URL(found.url).port));
  t.after(() => back.stop());
  const call = () =>
    send(gateway.url, '/v1/chat/completions', { headers: bearer(gateway.key), body: chat() });
  await until(async () => (await call()).status === 200 && (await spansOf(gateway, 'exported')) > 0);
  await until(async () => (await gateway.logText()).includes('takes traces again'));
  const text = await gateway.logText();
  assert.equal(times(text, 'the collector takes no traces'), 1);
  assert.equal(times(text, 'the collector takes traces again'), 1);
  assert.match(text, /ECONNREFUSED/);
});

test('a mute collector does not keep a replica from leaving', async (t) => {
  const mute = await startCollector(() => undefined);
  t.after(() => mute.stop());
  const gateway = await startAt(t, mute.url, 60_000);
  await callMany(gateway);
  await until(() => mute.bodies.length > 0);
  const begunMs = performance.now();
  await gateway.stop();
  const tookMs = performance.now() - begunMs;
  assert.ok(tookMs < 10_000, `${tookMs} ms`);
  assert.equal(gateway.process.exitCode, 0);
});
