import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Config } from '../../src/config/schema.ts';
import { publicOperations } from '../../src/http/openapi/public-operations.ts';
import { createSimulator, type Simulator } from '../../src/simulator/server.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import {
  assertDocumented,
  assertStandard,
  checkExamples,
  type Document,
  operationsOf,
  readDocument,
} from '../support/openapi.ts';

const MODEL = 'sim-small';
const CAPS: Config['caps'] = { n: 3, max_tokens: 500, stop: 2, logprobs: 5 };
/** Its reference leads into itself, not into the document. */
const BODY_SCHEMA = {
  type: 'object',
  properties: { rows: { type: 'array', items: { $ref: '#/definitions/row' } } },
  required: ['rows'],
  definitions: { row: { type: 'object' } },
};

let simulator: Simulator;
let gateway: TestGateway;
let document: Document;
before(async () => {
  simulator = createSimulator({ models: [MODEL] });
  const { url } = await simulator.listen('127.0.0.1', 0);
  const methods = ['POST', 'GET'] as const;
  const route = { path: '/predict', upstream: 'sim', methods: [...methods], body_schema: BODY_SCHEMA };
  gateway = await startGateway({
    config: {
      listen: { docs: true },
      upstreams: [{ name: 'sim', url, discover: true }],
      routes: [route],
      caps: CAPS,
      cors: { origins: ['https://app.example'] },
    },
  });
  document = await readDocument(`${gateway.url}/openapi.json`);
});
after(async () => {
  await gateway.stop();
  await simulator.close();
});

function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  return fetch(gateway.url + path, {
    method,
    headers: {
      authorization: `Bearer ${gateway.key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

const messages = [{ role: 'user', content: 'Hello' }];

test('the document is OpenAPI 3.1, of the version that runs', async () => {
  await assertStandard(document);
  const { version } = (await (await ask('GET', '/')).json()) as { version: string };
  assert.equal((document.info as { version: string }).version, version);
});

test('what is described is what is there, and the other way round', () => {
  const described = operationsOf(document).map(([name]) => name);
  const known = Object.keys(publicOperations(CAPS)).map((name) => {
    const [method = '', path = ''] = name.split(' ');
    return `${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}').replace('*', '{model}')}`;
  });
  assert.deepEqual(described.toSorted(), [...known, 'post /predict', 'get /predict'].toSorted());
});

test('each path has the methods that the gateway says it has', async () => {
  for (const [path, methods] of Object.entries(document.paths)) {
    const answer = await ask('PROPFIND', path.replaceAll(/\{\w+\}/g, 'x'));
    assert.equal(answer.status, 405, path);
    const allowed = (answer.headers.get('allow') ?? '').toLowerCase().split(', ');
    const shown = allowed.filter((method) => method !== 'head' && method !== 'options');
    assert.deepEqual(Object.keys(methods).toSorted(), shown.toSorted(), path);
  }
});

test('operations have names of their own', () => {
  const ids = operationsOf(document).map(([, { operationId }]) => operationId);
  assert.equal(new Set(ids).size, ids.length);
});

test('all examples fit their schemas', () => {
  const { count, misfits } = checkExamples(document);
  assert.deepEqual(misfits, []);
  assert.ok(count >= 25, String(count));
});

test('the bounds of requests are those of the configuration', () => {
  const operation = document.paths['/v1/chat/completions']?.post;
  const properties = operation?.requestBody?.content['application/json']?.schema.properties;
  const { n, stop } = properties as Record<string, Record<string, unknown>>;
  assert.deepEqual([n?.maximum, stop?.maxItems], [3, 2]);
});

test('every answer of a call is documented', async () => {
  const chat = { model: MODEL, messages, max_tokens: 8 };
  const spoken = await ask('POST', '/v1/chat/completions', chat);
  await assertDocumented(document, 'post /v1/chat/completions', spoken, true);
  const streamed = await ask('POST', '/v1/chat/completions', { ...chat, stream: true });
  await assertDocumented(document, 'post /v1/chat/completions', streamed);
  const embedded = await ask('POST', '/v1/embeddings', { model: MODEL, input: 'Hello' });
  await assertDocumented(document, 'post /v1/embeddings', embedded, true);
  const refused = await ask('POST', '/v1/chat/completions', { model: MODEL });
  assert.equal(refused.status, 400);
  await assertDocumented(document, 'post /v1/chat/completions', refused);
  const unknown = await ask('POST', '/v1/chat/completions', { ...chat, model: 'nobody' });
  assert.equal(unknown.status, 404);
  await assertDocumented(document, 'post /v1/chat/completions', unknown);
  const stranger = await ask('POST', '/v1/chat/completions', chat, { authorization: 'Bearer nobody' });
  assert.equal(stranger.status, 401);
  await assertDocumented(document, 'post /v1/chat/completions', stranger);
  const misfit = await ask('POST', '/predict', { rows: 7 });
  assert.equal(misfit.status, 400);
  await assertDocumented(document, 'post /predict', misfit);
});

test('a limit that is reached is documented, with its headers', async () => {
  const { key } = await gateway.createKey({ limits: { requests_per_minute: 1, tokens_per_minute: 10_000 } });
  const headers = { authorization: `Bearer ${key}` };
  const chat = { model: MODEL, messages, max_tokens: 8 };
  const first = await ask('POST', '/v1/chat/completions', chat, headers);
  assert.equal(first.headers.get('x-ratelimit-limit-requests'), '1');
  await assertDocumented(document, 'post /v1/chat/completions', first, true);
  const second = await ask('POST', '/v1/chat/completions', chat, headers);
  assert.equal(second.status, 429);
  await assertDocumented(document, 'post /v1/chat/completions', second);
});

test('every answer about a job is documented', async () => {
  const accepted = await ask(
    'POST',
    '/v1/completions',
    { model: MODEL, prompt: 'Hello' },
    {
      prefer: 'respond-async',
    },
  );
  assert.equal(accepted.status, 202);
  const job = (await assertDocumented(document, 'post /v1/completions', accepted)) as { id: string };
  const path = `/v1/jobs/${job.id}`;
  await assertDocumented(document, 'get /v1/jobs', await ask('GET', '/v1/jobs?limit=1&status=queued'));
  await assertDocumented(document, 'get /v1/jobs/{id}', await ask('GET', path));
  await assertDocumented(document, 'get /v1/jobs/{id}/result', await ask('GET', `${path}/result`));
  await assertDocumented(document, 'post /v1/jobs/{id}/cancel', await ask('POST', `${path}/cancel`));
  await assertDocumented(document, 'get /v1/jobs/{id}/events', await ask('GET', `${path}/events`));
  await assertDocumented(document, 'delete /v1/jobs/{id}', await ask('DELETE', path));
  await assertDocumented(document, 'get /v1/jobs/{id}', await ask('GET', path));
  await assertDocumented(document, 'get /v1/jobs', await ask('GET', '/v1/jobs?limit=0'));
});

test('every answer about models, usage and the service is documented', async () => {
  await gateway.admin('PATCH', '/tenants/acme', { quotas: [{ period: 'day', requests: 1_000 }] });
  const usage = await ask('GET', '/v1/usage');
  assert.equal(usage.status, 200);
  await assertDocumented(document, 'get /v1/usage', usage);
  await assertDocumented(document, 'get /v1/models', await ask('GET', '/v1/models'));
  await assertDocumented(document, 'get /v1/models/{model}', await ask('GET', `/v1/models/${MODEL}`));
  await assertDocumented(document, 'get /v1/models/{model}', await ask('GET', '/v1/models/a/b'));
  await assertDocumented(document, 'get /health', await ask('GET', '/health'));
  await assertDocumented(document, 'get /', await ask('GET', '/'));
});

test('the same document comes each time, and from the admin listener but for the address of the server', async () => {
  const texts = await Promise.all(
    ['', ''].map(async () => (await fetch(`${gateway.url}/openapi.json`)).text()),
  );
  assert.equal(texts[0], texts[1]);
  const there = await readDocument(`${gateway.adminUrl}/openapi-public.json`);
  assert.deepEqual({ ...there, servers: [] }, { ...document, servers: [] });
  await assertStandard(there);
});
