/** Who names no collector pays nothing for traces, and a caller's own trace goes through all the same. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { beginTracing } from '../../src/telemetry/begin-tracing.ts';
import { answerAsAsked } from '../http/answers.ts';
import { bearer, chat, send } from '../http/client.ts';
import { recordingLog } from '../redis/ground.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const LOST = 'sluice_trace_spans_total{outcome="lost"}';
const noteModules = new URL('note-modules.ts', import.meta.url).href;

let folder: string;
let redis: TestRedis;
let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-traces-'));
  redis = await startRedis();
  upstream = await startUpstream(answerAsAsked);
  gateway = await start('off');
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
  await redis.stop();
  await rm(folder, { recursive: true });
});

function start(name: string, env: NodeJS.ProcessEnv = {}): Promise<TestGateway> {
  return startGateway({
    redis,
    makeKey: name === 'off',
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
      routes: [{ path: '/predict', upstream: 'gpu' }],
    },
    env: { NODE_OPTIONS: `--import ${noteModules}`, NOTED_MODULES: join(folder, name), ...env },
  });
}

async function headersSent(headers: Record<string, string>, path = '/v1/chat/completions') {
  const reply = await send(gateway.url, path, {
    headers: { ...bearer(gateway.key), ...headers },
    body: chat(),
  });
  assert.equal(reply.status, 200);
  const { traceparent, tracestate } = upstream.requests.at(-1)?.headers ?? {};
  return { traceparent, tracestate };
}

test('no header is added', async () => {
  assert.deepEqual(await headersSent({}), { traceparent: undefined, tracestate: undefined });
});

test('what a caller says of his trace goes on as it came, and stands in the log', async () => {
  const said = { traceparent: PARENT, tracestate: 'vendor=opaque' };
  assert.deepEqual(await headersSent(said), said);
  assert.deepEqual(await headersSent(said, '/predict'), said);
  const lines = await gateway.logLines(3);
  assert.deepEqual(
    lines.map(({ trace_id }) => trace_id),
    [undefined, TRACE, TRACE],
  );
});

test('what is not valid does not go on', async () => {
  const nothing = { traceparent: undefined, tracestate: undefined };
  assert.deepEqual(await headersSent({ traceparent: `${PARENT}-x`, tracestate: 'a=1' }), nothing);
  assert.deepEqual(await headersSent({ tracestate: 'a=1' }), nothing);
  assert.deepEqual(await headersSent({ traceparent: PARENT, tracestate: 'NO' }), {
    traceparent: PARENT,
    tracestate: undefined,
  });
});

test('nothing of the SDK is loaded, and there is no metric of it, unless there is a collector', async (t) => {
  const on = await start('on', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
  t.after(() => on.stop());
  assert.match(await readFile(join(folder, 'on'), 'utf8'), /sdk-trace/);
  assert.equal(await on.metric(LOST), 0);
  assert.ok(!existsSync(join(folder, 'off')));
  assert.ok(Number.isNaN(await gateway.metric(LOST)));
});

test('an endpoint does not count where traces are switched off, or could not get there', async () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' };
  const quiet: NodeJS.ProcessEnv[] = [
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: '' },
    { ...endpoint, OTEL_SDK_DISABLED: 'TRUE' },
    { ...endpoint, OTEL_TRACES_EXPORTER: 'none' },
  ];
  const said: NodeJS.ProcessEnv[] = [
    { ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    { ...endpoint, OTEL_TRACES_EXPORTER: 'zipkin' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'user:hunter2@collector' },
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'hunter2' },
  ];
  for (const env of [...quiet, ...said]) {
    const { log, lines } = recordingLog();
    assert.equal(await beginTracing({ role: 'gateway', version: '0', env, log }), undefined);
    assert.equal(lines.filter((line) => line.includes('no traces')).length, said.includes(env) ? 1 : 0);
    assert.doesNotMatch(lines.join(), /hunter2/);
  }
});
