import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { adminOperations } from '../../src/admin/openapi/operations.ts';
import { jsonSchema } from '../../src/admin/openapi/zod-schema.ts';
import { routeRoles } from '../../src/admin/roles.ts';
import { createKeyBody, createTenantBody, importBody, updateTenantBody } from '../../src/admin/schemas.ts';
import { type ErrorName, errorTable } from '../../src/core/errors.ts';
import { createSimulator, type Simulator } from '../../src/simulator/server.ts';
import { ADMIN_TOKEN, startGateway, type TestGateway } from '../support/gateway.ts';
import {
  assertDocumented,
  assertStandard,
  checkExamples,
  type Document,
  fitsSchema,
  operationsOf,
  readDocument,
} from '../support/openapi.ts';

const MODEL = 'sim-small';

let simulator: Simulator;
let gateway: TestGateway;
let document: Document;
before(async () => {
  simulator = createSimulator({ models: [MODEL] });
  const { url } = await simulator.listen('127.0.0.1', 0);
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'sim', url, discover: true }],
      policies: [{ name: 'short', caps: { max_tokens: 16 } }],
      webhooks: { allowed_hosts: ['127.0.0.1:9'] },
    },
  });
  document = await readDocument(`${gateway.adminUrl}/openapi.json`);
});
after(async () => {
  await gateway.stop();
  await simulator.close();
});

async function ask(method: string, path: string, body?: unknown): Promise<Response> {
  return await fetch(gateway.adminUrl + path, {
    method,
    headers: {
      authorization: `Bearer ${ADMIN_TOKEN}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

/** Asks, and holds the answer to the document. */
async function told(operation: string, path: string, status: number, body?: unknown) {
  const [method = ''] = operation.split(' ');
  const answer = await ask(method.toUpperCase(), path, body);
  assert.equal(answer.status, status, `${operation}: ${await answer.clone().text()}`);
  return (await assertDocumented(document, operation, answer)) as Record<string, string>;
}

test('the document is OpenAPI 3.1', async () => {
  await assertStandard(document);
});

test('what is described is what is there, and the other way round', () => {
  const described = operationsOf(document).filter(([name]) => !/ \/(docs|openapi)/.test(name));
  const known = Object.keys(adminOperations).map((name) => {
    const [method = '', path = ''] = name.split(' ');
    return `${method.toLowerCase()} ${path.replaceAll(/:(\w+)/g, '{$1}').replace('*', '{path}')}`;
  });
  assert.deepEqual(described.map(([name]) => name).toSorted(), known.toSorted());
});

test('each path has the methods that the gateway says it has', async () => {
  for (const [path, methods] of Object.entries(document.paths)) {
    const answer = await ask('PROPFIND', path.replaceAll(/\{\w+\}/g, 'x'));
    assert.equal(answer.status, 405, path);
    const shown = (answer.headers.get('allow') ?? '').toLowerCase().split(', ');
    assert.deepEqual(
      Object.keys(methods).toSorted(),
      shown.filter((method) => method !== 'head').toSorted(),
      path,
    );
  }
});

test('each operation names the role that it needs, and what is open says so', () => {
  for (const [name, operation] of operationsOf(document)) {
    const [method = '', path = ''] = name.split(' ');
    const url = path.replace('{path}', '*').replaceAll(/\{(\w+)\}/g, ':$1');
    assert.equal(operation['x-role'], routeRoles.get(`${method.toUpperCase()} ${url}`), name);
    const isOpen = !path.startsWith('/admin');
    assert.equal(JSON.stringify(operation.security) === '[]', isOpen, name);
  }
});

test('all examples fit their schemas', () => {
  const { count, misfits } = checkExamples(document);
  assert.deepEqual(misfits, []);
  assert.ok(count >= 50, String(count));
});

test('examples of bodies are taken by the schemas that hold requests', () => {
  for (const [operation, schema] of [
    ['POST /admin/v1/keys', createKeyBody],
    ['POST /admin/v1/tenants', createTenantBody],
    ['PATCH /admin/v1/tenants/:name', updateTenantBody],
    ['POST /admin/v1/keys/import', importBody],
  ] as const) {
    assert.ok(schema.safeParse(adminOperations[operation]?.example).success, operation);
  }
});

test('the document refuses nothing that the gateway takes, and what its types rule out', () => {
  const fits = fitsSchema(jsonSchema(createKeyBody));
  const key = { tenant: 'acme', name: 'x' };
  const values = [
    null,
    true,
    0,
    7,
    'a',
    [],
    ['a'],
    {},
    { a: 1 },
    false,
    { tokens: false },
    { m: {} },
    { tokens: 5 },
  ];
  for (const name of Object.keys(createKeyBody.shape)) {
    for (const value of values) {
      const body = { ...key, [name]: value };
      const { success, error } = createKeyBody.safeParse(body);
      const isRule = error?.issues.some(({ code }) => code === 'custom') ?? false;
      if (!isRule) assert.equal(fits(body), success, JSON.stringify(body));
    }
  }
  assert.ok(!fits({ ...key, unknown: 1 }));
});

test('a schema that is chosen by the look of the value shows all that may be chosen', () => {
  const { models } = (jsonSchema(z.object({ models: createKeyBody.shape.models })).properties ?? {}) as {
    models: { anyOf: { type: string }[] };
  };
  assert.deepEqual(
    models.anyOf.map(({ type }) => type),
    ['null', 'array', 'object'],
  );
});

test('answers about keys and tenants are documented', async () => {
  const made = await told('post /admin/v1/keys', '/admin/v1/keys', 201, { tenant: 'acme', name: 'one' });
  const path = `/admin/v1/keys/${made.id}`;
  await told('get /admin/v1/keys', '/admin/v1/keys?limit=2&tenant=acme', 200);
  await told('get /admin/v1/keys/{id}', path, 200);
  const changes = {
    models: { [MODEL]: { requests_per_minute: 5 } },
    quotas: [{ period: 'day', requests: 5 }],
  };
  await told('patch /admin/v1/keys/{id}', path, 200, { ...changes, oversize_rule: { tokens: 10 } });
  await told('post /admin/v1/keys/{id}/rotate', `${path}/rotate`, 200);
  const signing = `${path}/signing-keys`;
  const added = await told('put /admin/v1/keys/{id}/signing-keys', signing, 201, { alg: 'hmac-sha256' });
  await told('get /admin/v1/keys/{id}/signing-keys', signing, 200);
  const one = `${signing}/${added.id}`;
  await told('delete /admin/v1/keys/{id}/signing-keys/{signing_key}', one, 200);
  await told('delete /admin/v1/keys/{id}', path, 200);
  await told('get /admin/v1/keys/{id}', '/admin/v1/keys/key_nobody', 404);
  await told('post /admin/v1/keys', '/admin/v1/keys', 400, { tenant: 'acme' });
  await told('post /admin/v1/keys/import', '/admin/v1/keys/import', 200, {
    form: { prefix: 'old-' },
    rows: [{ key: 'old-0123456789abcdef', tenant: 'acme', name: 'old' }, {}],
  });
  await told('post /admin/v1/tenants', '/admin/v1/tenants', 201, { name: 'fresh', email: 'a@b.example' });
  await told('post /admin/v1/tenants', '/admin/v1/tenants', 409, { name: 'fresh' });
  await told('get /admin/v1/tenants', '/admin/v1/tenants', 200);
  await told('get /admin/v1/tenants/{name}', '/admin/v1/tenants/fresh', 200);
  await told('patch /admin/v1/tenants/{name}', '/admin/v1/tenants/fresh', 200, { weight: 2 });
});

test('answers about webhooks are documented', async () => {
  const path = '/admin/v1/tenants/acme/webhook';
  const url = 'http://127.0.0.1:9/hook';
  await told('put /admin/v1/tenants/{name}/webhook', path, 201, { url });
  await told('put /admin/v1/tenants/{name}/webhook', path, 200, { status: 'disabled' });
  await told('get /admin/v1/tenants/{name}/webhook', path, 200);
  await told('post /admin/v1/tenants/{name}/webhook/rotate-secret', `${path}/rotate-secret`, 200);
  await told('get /admin/v1/webhooks/dead', '/admin/v1/webhooks/dead', 200);
  await told('get /admin/v1/webhooks/events/{id}', '/admin/v1/webhooks/events/evt_none', 404);
  await told('post /admin/v1/webhooks/replay', '/admin/v1/webhooks/replay', 200, { events: ['evt_none'] });
  await told('delete /admin/v1/tenants/{name}/webhook', path, 200);
});

test('answers about servers, models, jobs and usage are documented', async () => {
  const headers = { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' };
  const chat = JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'Hello' }] });
  const call = (more = {}) =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { ...headers, ...more },
      body: chat,
    });
  await (await call()).text();
  const { id } = (await (await call({ prefer: 'respond-async' })).json()) as { id: string };
  await told('get /admin/v1/upstreams', '/admin/v1/upstreams', 200);
  await told('post /admin/v1/upstreams/{name}/drain', '/admin/v1/upstreams/sim/drain', 200);
  await told('post /admin/v1/upstreams/{name}/resume', '/admin/v1/upstreams/sim/resume', 200);
  await told('get /admin/v1/models', '/admin/v1/models', 200);
  await told('get /admin/v1/policies', '/admin/v1/policies', 200);
  await told('get /admin/v1/jobs', '/admin/v1/jobs?status=queued', 200);
  await told('get /admin/v1/jobs/queue', '/admin/v1/jobs/queue', 200);
  await told('post /admin/v1/jobs/drain', '/admin/v1/jobs/drain', 200);
  await told('post /admin/v1/jobs/resume', '/admin/v1/jobs/resume', 200);
  await told('get /admin/v1/jobs/{id}', `/admin/v1/jobs/${id}`, 200);
  await told('post /admin/v1/jobs/{id}/cancel', `/admin/v1/jobs/${id}/cancel`, 200);
  await told('get /admin/v1/jobs/{id}', '/admin/v1/jobs/job_nobody', 404);
  const today = new Date().toISOString().slice(0, 10);
  const report = `/admin/v1/usage?tenant=acme&from=${today}&to=${today}&group_by=day,key,model`;
  await told('get /admin/v1/usage', report, 200);
  await told('get /admin/v1/usage', '/admin/v1/usage?tenant=acme', 400);
  await told('get /admin/v1/usage/calls', '/admin/v1/usage/calls?tenant=acme', 200);
});

test('answers about admins and the installation are documented', async () => {
  const admins = '/admin/v1/admins';
  const made = await told('post /admin/v1/admins', admins, 201, { name: 'grafana', role: 'viewer' });
  await told('get /admin/v1/admins', admins, 200);
  await told('get /admin/v1/admins/{id}', `${admins}/${made.id}`, 200);
  await told('patch /admin/v1/admins/{id}', `${admins}/${made.id}`, 200, { role: 'operator' });
  await told('post /admin/v1/admins/{id}/rotate', `${admins}/${made.id}/rotate`, 200);
  await told('delete /admin/v1/admins/{id}', `${admins}/${made.id}`, 200);
  await told('get /admin/v1/audit', '/admin/v1/audit?limit=5', 200);
  await told('post /admin/v1/config/reload', '/admin/v1/config/reload', 200);
  await told('post /admin/v1/installation/accept', '/admin/v1/installation/accept', 409);
  await told('get /live', '/live', 200);
  await told('get /ready', '/ready', 200);
  await told('get /metrics', '/metrics', 200);
});

test('every error that the gateway knows stands in one of the two documents', async () => {
  const documents = [document, await readDocument(`${gateway.adminUrl}/openapi-public.json`)];
  const named = new Set(documents.flatMap((one) => Object.keys(Object(one.components.examples))));
  const missing = (Object.keys(errorTable) as ErrorName[]).filter((name) => !named.has(name));
  assert.deepEqual(missing, []);
});
