/** What a collector hears of calls: one trace from the caller over the gateway, the queue and the worker to the GPU server. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { answerAsAsked } from '../http/answers.ts';
import { bearer, chat, send } from '../http/client.ts';
import { ask, read } from '../http/jobs/player.ts';
import { startWorker, type TestWorker } from '../http/jobs/worker-process.ts';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { type Collector, type ReceivedSpan, startCollector } from './collector.ts';

const SERVER = 2;
const CLIENT = 3;
const CONSUMER = 5;
const FAILED = 2;
const PROMPT = 'prompt-hunter2-8f3a91c7';
const UPSTREAM_KEY = 'upstream-key-5d2e77b0';
const COLLECTOR_KEY = 'collector-key-77aa01';

let redis: TestRedis;
let collector: Collector;
let upstream: TestUpstream;
let gateway: TestGateway;
let worker: TestWorker;

before(async () => {
  redis = await startRedis();
  collector = await startCollector();
  upstream = await startUpstream((request, response, body) => {
    if (!body.includes('fail')) return answerAsAsked(request, response, body);
    response.writeHead(502, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: `no: ${PROMPT} ${UPSTREAM_KEY}` } }));
  });
  const config = {
    upstreams: [
      { name: 'gpu', url: upstream.url, api_key_env: 'GPU_KEY' },
      { name: 'twin', url: upstream.url },
      { name: 'plain', url: upstream.url },
    ],
    models: [
      { name: 'public', upstreams: ['gpu'], upstream_model: '/models/inner' },
      { name: 'pair', upstreams: ['gpu', 'twin'] },
    ],
    routes: [{ path: '/predict', upstream: 'plain' }],
  };
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${COLLECTOR_KEY}`,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    OTEL_BSP_SCHEDULE_DELAY: '50',
    GPU_KEY: UPSTREAM_KEY,
  };
  [gateway, worker] = await Promise.all([
    startGateway({ redis, config, env }),
    startWorker(redis, config, env),
  ]);
});

after(async () => {
  await Promise.all([gateway.stop(), worker.stop()]);
  await Promise.all([upstream.stop(), collector.stop()]);
  await redis.stop();
});

const newParent = (flags = '01') => {
  const traceId = randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
};

const call = (body: string, headers: Record<string, string> = {}, path = '/v1/chat/completions') =>
  send(gateway.url, path, { headers: { ...bearer(gateway.key), ...headers }, body });

const sentParent = () => String(upstream.requests.at(-1)?.headers.traceparent);

function one(spans: readonly ReceivedSpan[], kind: number): ReceivedSpan {
  const [span, ...more] = spans.filter((candidate) => candidate.kind === kind);
  assert.ok(span && more.length === 0, JSON.stringify(spans));
  return span;
}

test('a call is a span below its caller, its admission and its attempt are spans below that', async () => {
  const parent = newParent();
  const state = 'vendor=secret-state';
  const reply = await call(chat(), { traceparent: parent.traceparent, tracestate: state });
  assert.equal(reply.status, 200);
  const spans = await collector.trace(parent.traceId, 3);
  const [whole, attempt] = [one(spans, SERVER), one(spans, CLIENT)];
  const admission = one(spans, 1);
  assert.equal(whole.name, 'chat public');
  assert.equal(whole.parentSpanId, parent.spanId);
  assert.equal(attempt.name, 'chat public');
  assert.deepEqual([attempt.parentSpanId, admission.parentSpanId], [whole.spanId, whole.spanId]);
  assert.ok(whole.startMs <= admission.startMs && admission.endMs <= attempt.startMs + 1);
  assert.ok(attempt.startMs < attempt.endMs && attempt.endMs <= whole.endMs);
  assert.equal(whole.statusCode, 0);
  assert.deepEqual(whole.attributes, {
    'http.request.method': 'POST',
    'http.route': '/v1/chat/completions',
    'http.response.status_code': 200,
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'public',
    'gen_ai.response.model': '/models/inner',
    'gen_ai.usage.input_tokens': 5,
    'gen_ai.usage.output_tokens': 3,
    'sluice.request_id': reply.headers['x-request-id'],
    'sluice.tenant': 'acme',
    'sluice.key_id': `key_${gateway.key.split('_')[1]}`,
    'sluice.upstream': 'gpu',
    'sluice.outcome': 'completed',
    'sluice.answered_from': 'upstream',
  });
  const { hostname, port } = new URL(upstream.url);
  assert.deepEqual(attempt.attributes, {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': '/models/inner',
    'gen_ai.response.model': '/models/inner',
    'http.request.method': 'POST',
    'http.response.status_code': 200,
    'server.address': hostname,
    'server.port': Number(port),
    'sluice.upstream': 'gpu',
  });
  assert.equal(whole.resource['service.name'], 'sluice-gateway');
  assert.equal(whole.resource['deployment.environment.name'], 'test');
  assert.equal(sentParent(), `00-${parent.traceId}-${attempt.spanId}-01`);
  assert.equal(upstream.requests.at(-1)?.headers.tracestate, state);
});

test('the log line of a call names its trace', async () => {
  const { traceId, traceparent } = newParent();
  const reply = await call(chat(), { traceparent });
  let line: string | undefined;
  await until(async () => {
    const lines = (await gateway.logText()).split('\n');
    line = lines.find((text) => text.includes(`"${reply.headers['x-request-id']}"`));
    return line !== undefined;
  });
  assert.equal(JSON.parse(String(line)).trace_id, traceId);
});

test('a trace begins at the gateway where the caller has none, or none that is valid', async () => {
  const { traceId } = newParent();
  const hostile = [
    'x',
    `00-${traceId}-0000000000000000-01`,
    `${newParent().traceparent}, more`,
    'z'.repeat(9_000),
  ];
  for (const traceparent of [undefined, ...hostile]) {
    const headers: Record<string, string> = traceparent === undefined ? {} : { traceparent };
    const reply = await call(chat(), { ...headers, tracestate: 'a=1' });
    assert.equal(reply.status, 200);
    const [, begun = '', below] = sentParent().split('-');
    assert.notEqual(begun, traceId);
    const spans = await collector.trace(begun, 3);
    assert.equal(one(spans, SERVER).parentSpanId, undefined);
    assert.equal(one(spans, CLIENT).spanId, below);
    assert.equal(upstream.requests.at(-1)?.headers.tracestate, undefined);
  }
});

test('a stream is told with its tokens and the time to its first', async () => {
  const { traceId, traceparent } = newParent();
  const reply = await call(chat({ stream: true }), { traceparent });
  assert.match(reply.body.toString(), /\[DONE\]/);
  const { attributes } = one(await collector.trace(traceId, 3), SERVER);
  assert.equal(attributes['gen_ai.request.stream'], true);
  assert.equal(attributes['gen_ai.usage.output_tokens'], 3);
  assert.ok(Number(attributes['gen_ai.response.time_to_first_chunk']) > 0);
});

test('a call that fails at two servers has a span for each, with the reason', async () => {
  const { traceId, traceparent } = newParent();
  // A retry is paid for by five requests.
  for (let count = 0; count < 10; count += 1) await call(chat({ model: 'pair' }));
  const before = upstream.requests.length;
  const reply = await call(chat({ model: 'pair', user: 'fail' }), { traceparent });
  assert.equal(reply.status, 502);
  const spans = await collector.trace(traceId, 4);
  const whole = one(spans, SERVER);
  assert.deepEqual([whole.statusCode, whole.attributes['error.type']], [FAILED, 'upstream_error']);
  const attempts = spans.filter(({ kind }) => kind === CLIENT);
  assert.deepEqual(attempts.map(({ attributes }) => attributes['sluice.upstream']).toSorted(), [
    'gpu',
    'twin',
  ]);
  for (const { statusCode, attributes, parentSpanId } of attempts) {
    assert.deepEqual([statusCode, attributes['error.type'], parentSpanId], [FAILED, '502', whole.spanId]);
  }
  assert.deepEqual(
    attempts.map(({ attributes }) => attributes['http.request.resend_count']),
    [undefined, 1],
  );
  const asked = upstream.requests
    .slice(before)
    .map(({ headers }) => String(headers.traceparent).split('-')[2]);
  assert.deepEqual(
    asked,
    attempts.map(({ spanId }) => spanId),
  );
});

test('a refused call is told with its reason, and no server', async () => {
  const { traceId, traceparent } = newParent();
  const body = chat({ model: `made-up-${PROMPT}` });
  assert.equal((await call(body, { traceparent })).status, 404);
  const [whole, ...more] = await collector.trace(traceId, 1);
  assert.equal(more.length, 0);
  assert.deepEqual([whole?.name, whole?.attributes['error.type']], ['chat', 'model_not_found']);
});

test('a pass-through call is told by its route, and its server learns of the trace', async () => {
  const { traceId, traceparent } = newParent();
  const headers = { traceparent, 'content-type': 'application/json' };
  assert.equal((await call('{"x":1}', headers, '/predict')).status, 200);
  const spans = await collector.trace(traceId, 3);
  assert.equal(one(spans, SERVER).name, 'POST /predict');
  assert.equal(one(spans, CLIENT).spanId, sentParent().split('-')[2]);
});

test('a job goes on in the trace of its request, in another process', async () => {
  const { traceId, traceparent } = newParent();
  const accepted = await call(chat(), { traceparent, tracestate: 'a=1', prefer: 'respond-async' });
  assert.equal(accepted.status, 202, accepted.body.toString());
  const id = String(read(accepted).id);
  assert.equal(read(await ask(gateway, `/${id}`, { prefer: 'wait=30' })).status, 'completed');
  const spans = await collector.trace(traceId, 3);
  const [request, run, attempt] = [one(spans, SERVER), one(spans, CONSUMER), one(spans, CLIENT)];
  assert.equal(request.attributes['sluice.job.id'], id);
  assert.equal(run.parentSpanId, request.spanId);
  assert.equal(attempt.parentSpanId, run.spanId);
  assert.equal(run.resource['service.name'], 'sluice-worker');
  assert.equal(run.name, 'run public');
  assert.equal(run.attributes['sluice.job.id'], id);
  assert.equal(run.attributes['sluice.outcome'], 'completed');
  assert.equal(run.attributes['gen_ai.usage.output_tokens'], 3);
  assert.equal(sentParent(), `00-${traceId}-${attempt.spanId}-01`);
  assert.equal(upstream.requests.at(-1)?.headers.tracestate, 'a=1');
});

test('who says that his trace is not kept has no span, and his word goes on to server and worker', async () => {
  const { traceId, traceparent } = newParent('00');
  await call(chat(), { traceparent });
  assert.match(sentParent(), new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
  const accepted = await call(chat(), { traceparent, prefer: 'respond-async' });
  await ask(gateway, `/${read(accepted).id}`, { prefer: 'wait=30' });
  assert.match(sentParent(), new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
  // What comes later has arrived, so what came earlier would have.
  const later = newParent();
  await call(chat(), { traceparent: later.traceparent, prefer: 'respond-async, wait=30' });
  await collector.trace(later.traceId, 3);
  assert.equal(collector.spans().filter((span) => span.traceId === traceId).length, 0);
});

test('no secret is in any byte that was exported', async () => {
  const { traceId, traceparent } = newParent();
  const stated = { traceparent, tracestate: `a=${PROMPT}`, baggage: `b=${PROMPT}`, 'user-agent': PROMPT };
  const messages = [{ role: 'user', content: PROMPT }];
  await call(chat({ messages }), stated);
  await call(chat({ model: 'pair', messages, user: 'fail' }), stated);
  await send(gateway.url, '/v1/chat/completions', {
    headers: { ...bearer(PROMPT), ...stated },
    body: chat(),
  });
  await send(gateway.url, `/${PROMPT}?x=${PROMPT}`, { headers: stated });
  await call(chat({ messages }), { ...stated, prefer: 'respond-async, wait=30' });
  await collector.trace(traceId, 3 + 3 + 1 + 1 + 3);
  const exported = collector.bodies.join('\n');
  for (const secret of [
    PROMPT,
    gateway.key,
    gateway.key.slice(-36),
    UPSTREAM_KEY,
    COLLECTOR_KEY,
    'Good day',
  ]) {
    assert.ok(!exported.includes(secret), secret);
  }
  assert.equal(collector.headers.at(-1)?.authorization, `Bearer ${COLLECTOR_KEY}`);
  assert.equal(await gateway.metric('sluice_trace_spans_total{outcome="lost"}'), 0);
  assert.ok((await gateway.metric('sluice_trace_spans_total{outcome="exported"}')) >= 20);
});
