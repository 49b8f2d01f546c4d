/**
 * What the example of a text model for several teams promises, with a simulator in place of vLLM.
 * Each promise of the set-up, and the test that holds it (promises.test.ts sees to it that there is one):
 *
 * | promise | file: test |
 * | --- | --- |
 * | it starts, and is called, as its README says | readme: what the README of ${name} says is what comes |
 * | it starts without its server | start: ${name} starts without its servers, names them |
 * | teams with bearer keys | text-model-in-use: the official client works with nothing changed but base URL and key |
 * | 401 with WWW-Authenticate | text-model: who has no key gets 401 with WWW-Authenticate |
 * | the long path of the model is forced whatever name comes | text-model: whatever name a client sends, the path arrives |
 * | requests per minute by team | text-model: each team has its requests per minute |
 * | defaults of max_tokens and temperature by team | text-model: each team has its own max_tokens, temperature and text in front |
 * | a system text in front, by team | text-model: each team has its own max_tokens, temperature and text in front |
 * | a disclaimer behind the answer, by team | text-model: each team’s disclaimer stands behind the answer, whole and streamed |
 * | streaming | text-model-in-use: the official client works with nothing changed but base URL and key |
 * | CORS for a browser front end | text-model: a page of the front end may call and read |
 * | 504 when the model takes longer than its time-out | text-model: a model that takes longer than its time-out gets 504 |
 * | 503 when it is not there | text-model: when vLLM is not there, calls get 503 |
 * | one error format | text-model: who has no key gets 401 with WWW-Authenticate, and every refusal has the one format |
 * | a log line with milliseconds and the caller’s address | text-model: a call leaves a line with its milliseconds |
 * | /health | text-model: when vLLM is not there, calls get 503, and /health |
 * | keys from the environment | readme: what the README of ${name} says is what comes |
 * | metrics for requests per second, latency and error rate | text-model-in-use: Prometheus answers the queries of the README |
 * | requests that are too long go through the queue | text-model-in-use: a prompt that is too long goes through the queue |
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createSimulator } from '../../src/simulator/server.ts';
import { assertRefused, bearer, type Reply, send } from '../http/client.ts';
import { type TestGateway, until } from '../support/gateway.ts';
import { startExample } from './support/example.ts';

const PATH = '/data/models/zai-org/GLM-4.7-Flash';
const MODEL = 'glm-4.7-flash';
const SUPPORT = 'a-key-of-support-0123456789';
const RESEARCH = 'a-key-of-research-0123456789';
const env = { SLUICE_KEYS: `support=${SUPPORT},research=${RESEARCH}` };
const address = 'http://127.0.0.1:8000';
const page = 'https://chat.example.com';
const messages = [{ role: 'user', content: 'Hello' }];

/** It serves that path and no other name. */
const vllm = createSimulator({ models: [PATH], tokens: 6 });
let gateway: TestGateway;
/** The same, but for a shorter time-out. */
let hasty: TestGateway;

before(async () => {
  const { url } = await vllm.listen('127.0.0.1', 0);
  gateway = await startExample('text-model', { [address]: url }, { env });
  hasty = await startExample(
    'text-model',
    { [address]: url, 'first_byte_ms: 120000': 'first_byte_ms: 300' },
    { env, redis: gateway.redis, makeKey: false },
  );
});

after(async () => {
  await hasty.stop();
  await gateway.stop();
  await vllm.close();
});

function ask(key: string, fields: Record<string, unknown> = {}, headers = {}, at = gateway): Promise<Reply> {
  const body = JSON.stringify({ messages, ...fields });
  return send(at.url, '/v1/chat/completions', { headers: { ...bearer(key), ...headers }, body });
}

function arrived(): Record<string, unknown> {
  return JSON.parse(String(vllm.state.last?.body));
}

interface Chunk {
  readonly model: string;
  readonly choices: {
    readonly delta: { readonly content?: string };
    readonly finish_reason: string | null;
  }[];
}

function chunksOf({ body }: Reply): Chunk[] {
  const events = body.toString().trim().split('\n\n');
  assert.equal(events.pop(), 'data: [DONE]');
  return events.map((event) => JSON.parse(event.slice('data: '.length)));
}

test('whatever name a client sends, the path arrives, and the client gets its own name back', async () => {
  for (const [sent, back] of [
    ['gpt-4o', 'gpt-4o'],
    [MODEL, MODEL],
    ['some/other-model:latest', 'some/other-model:latest'],
    [undefined, MODEL],
  ]) {
    const whole = await ask(RESEARCH, { model: sent });
    assert.equal(whole.status, 200, whole.body.toString());
    assert.equal(arrived().model, PATH);
    assert.equal(JSON.parse(whole.body.toString()).model, back);
    const streamed = await ask(RESEARCH, { model: sent, stream: true });
    assert.equal(arrived().model, PATH);
    const chunks = chunksOf(streamed);
    assert.ok(chunks.length > 1 && chunks.every(({ model }) => model === back));
    assert.ok(!`${whole.body}${streamed.body}`.includes(PATH));
  }
});

test('each team has its own max_tokens, temperature and text in front; what a client sends wins up to the cap', async () => {
  await ask(SUPPORT);
  const ofSupport = arrived();
  assert.deepEqual([ofSupport.max_tokens, ofSupport.temperature], [512, 0.3]);
  assert.deepEqual(ofSupport.chat_template_kwargs, { enable_thinking: false });
  assert.match(frontText(ofSupport), /^You answer customers of Example Inc\. .* help@example\.com\.$/);

  await ask(RESEARCH);
  const ofResearch = arrived();
  assert.deepEqual([ofResearch.max_tokens, ofResearch.temperature], [4096, 1]);
  assert.match(frontText(ofResearch), /^You help researchers of Example Inc\./);

  await ask(gateway.key);
  const ofOthers = arrived();
  assert.deepEqual([ofOthers.max_tokens, ofOthers.temperature], [1024, 0.7]);
  assert.deepEqual(ofOthers.messages, messages);

  await ask(SUPPORT, { max_tokens: 9999, temperature: 0.9 });
  assert.deepEqual([arrived().max_tokens, arrived().temperature], [2048, 0.9]);
  await ask(SUPPORT, { max_tokens: 9 });
  assert.equal(arrived().max_tokens, 9);
});

function frontText({ messages: sent }: Record<string, unknown>): string {
  const [first, ...rest] = sent as { role: string; content: string }[];
  assert.deepEqual([first?.role, rest], ['system', messages]);
  return first?.content ?? '';
}

test('each team’s disclaimer stands behind the answer, whole and streamed', async () => {
  const said = 'This is a simulated answer.';
  for (const [key, disclaimer] of [
    [SUPPORT, '\n\n(Written by a language model. Case r-1.)'],
    [RESEARCH, '\n\n(Written by a language model for research. Not reviewed.)'],
    [gateway.key, '\n\n(Written by a language model. Check it before you rely on it.)'],
  ] as const) {
    const whole = JSON.parse((await ask(key, {}, { 'x-request-id': 'r-1' })).body.toString());
    assert.equal(whole.choices[0].message.content, said + disclaimer);
    const chunks = chunksOf(await ask(key, { stream: true }, { 'x-request-id': 'r-1' }));
    assert.equal(
      chunks.map(({ choices: [choice] }) => choice?.delta.content ?? '').join(''),
      said + disclaimer,
    );
    const end = chunks.findIndex(
      ({ choices: [choice] }) => choice?.finish_reason === 'stop' || choice?.finish_reason === 'length',
    );
    assert.ok(end > 0 && chunks.slice(end + 1).every(({ choices: [choice] }) => !choice?.delta.content));
  }
});

test('a page of the front end may call and read, streams and errors too; another page may not', async () => {
  const asked = { origin: page, 'access-control-request-method': 'POST' };
  const preflight = await send(gateway.url, '/v1/chat/completions', { method: 'OPTIONS', headers: asked });
  assert.deepEqual([preflight.status, preflight.headers['access-control-allow-origin']], [204, page]);
  const answers = [
    await ask(SUPPORT, {}, { origin: page }),
    await ask(SUPPORT, { stream: true }, { origin: page }),
    await ask('nobody', {}, { origin: page }),
  ];
  assert.deepEqual(
    answers.map(({ status, headers }) => [status, headers['access-control-allow-origin']]),
    [200, 200, 401].map((status) => [status, page]),
  );
  const elsewhere = await ask(SUPPORT, {}, { origin: 'https://evil.example.com' });
  assert.equal(elsewhere.headers['access-control-allow-origin'], undefined);
});

test('who has no key gets 401 with WWW-Authenticate, and every refusal has the one format', async () => {
  const without = await send(gateway.url, '/v1/chat/completions', { body: '{}' });
  assertRefused(without, 'invalid_api_key');
  assert.match(String(without.headers['www-authenticate']), /^Bearer/);
  assertRefused(await ask('a-key-of-nobody-0123456789'), 'invalid_api_key');
  assertRefused(await ask(SUPPORT, { messages: undefined }), 'missing_parameter');
  assertRefused(await send(gateway.url, '/nothing', { headers: bearer(SUPPORT), body: '{}' }), 'not_found');
});

test('a model that takes longer than its time-out gets 504, and other calls go on', async () => {
  vllm.state.addFault({ prompt: 'slowly', cut: 'hang' });
  const slow = await ask(SUPPORT, { messages: [{ role: 'user', content: 'slowly' }] }, {}, hasty);
  assertRefused(slow, 'upstream_timeout');
  assert.ok(slow.tookMs >= 300);
  assert.equal((await ask(SUPPORT)).status, 200);
});

test('a call leaves a line with its milliseconds and the address of its caller', async () => {
  await ask(RESEARCH, {}, { 'x-request-id': 'to-be-logged' });
  let line: Record<string, unknown> | undefined;
  await until(async () => {
    line = (await gateway.logLines(1)).find(({ request_id }) => request_id === 'to-be-logged');
    return line !== undefined;
  }, 'the line');
  assert.deepEqual(
    [line?.tenant, line?.model, line?.status, line?.address],
    ['research', MODEL, 200, '127.0.0.1'],
  );
  assert.ok(Number(line?.total_ms) > 0);
});

test('metrics have requests, latency and errors by model', async () => {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const count = (line: RegExp) => Number(line.exec(text)?.[1] ?? 0);
  assert.ok(count(/^sluice_requests_total\{[^}]*model="glm-4\.7-flash",status="200"[^}]*\} (\d+)$/m) > 0);
  assert.ok(count(/^sluice_requests_total\{[^}]*status="401"[^}]*\} (\d+)$/m) > 0);
  assert.ok(count(/^sluice_request_duration_seconds_count\{[^}]*model="glm-4\.7-flash"[^}]*\} (\d+)$/m) > 0);
});

test('each team has its requests per minute, and one that has spent them does not hold up another', async () => {
  for (const [key, limit] of [
    [SUPPORT, '120'],
    [RESEARCH, '600'],
    [gateway.key, '30'],
  ] as const) {
    assert.equal((await ask(key)).headers['x-ratelimit-limit-requests'], limit);
  }
  const { key } = await gateway.createKey({ tenant: 'newcomers' });
  const begunAtMs = performance.now();
  let admitted = 0;
  let last = await ask(key);
  for (; last.status === 200; admitted += 1) last = await ask(key);
  assertRefused(last, 'rate_limit_exceeded');
  assert.ok(Number(last.headers['retry-after']) >= 1);
  const comeBack = ((performance.now() - begunAtMs) / 60_000) * 30;
  assert.ok(admitted >= 30 && admitted <= 30 + comeBack, `${admitted} admitted`);
  assert.equal((await ask(RESEARCH)).status, 200);
});

test('when vLLM is not there, calls get 503, and /health, which stays 200, says so', async () => {
  const health = async () => {
    const answer = await fetch(`${gateway.url}/health`);
    const { models } = (await answer.json()) as { models: Record<string, string> };
    return { status: answer.status, models };
  };
  assert.deepEqual(await health(), { status: 200, models: { [MODEL]: 'healthy' } });
  await vllm.close();
  assertRefused(await ask(RESEARCH), 'upstream_unavailable');
  await until(async () => {
    const { status, models } = await health();
    assert.equal(status, 200);
    return models[MODEL] === 'unreachable';
  }, 'the probes to notice');
  const index = (await (await fetch(`${gateway.url}/`)).json()) as Record<string, unknown>;
  assert.equal(index.status, 'healthy');
});
