/** A key sees the models that it may use, and no others. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { assertRefused, bearer, type Reply, send } from './client.ts';

const LONG = `org/${'x'.repeat(120)}`;

let gateway: TestGateway;

before(async () => {
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: 'http://127.0.0.1:9' }],
      models: [
        { name: 'zai-org/GLM-4.7-Flash', upstreams: ['gpu'], context_length: 8_192, aliases: ['glm'] },
        { name: 'plain', upstreams: ['gpu'], upstream_model: '/srv/secret/path' },
        { name: LONG, upstreams: ['gpu'] },
      ],
    },
  });
});

after(() => gateway.stop());

test('a key for all models sees all of them, under their public names', async () => {
  const reply = await get('/v1/models');
  const { object, data } = JSON.parse(reply.body.toString()) as {
    object: string;
    data: Record<string, unknown>[];
  };
  assert.equal(object, 'list');
  assert.deepEqual(
    data.map(({ id }) => id),
    ['zai-org/GLM-4.7-Flash', 'plain', LONG],
  );
  for (const model of data) {
    assert.equal(model.object, 'model');
    assert.equal(model.owned_by, 'sluice');
    assert.ok(Number.isInteger(model.created));
  }
  assert.equal(data[0]?.max_model_len, 8_192);
  assert.equal(reply.body.includes('secret'), false);
});

test('a key for one model sees that one', async () => {
  const { key } = await gateway.createKey({ models: ['plain'] });
  const { data } = JSON.parse((await get('/v1/models', key)).body.toString()) as { data: { id: string }[] };
  assert.deepEqual(
    data.map(({ id }) => id),
    ['plain'],
  );
  assert.equal((await get('/v1/models/plain', key)).status, 200);
  assertRefused(await get('/v1/models/zai-org/GLM-4.7-Flash', key), 'model_not_found');
});

test('a key sees no model that its tenant may not use, whether by list or by limits', async () => {
  const { body } = await gateway.admin('POST', '/tenants', {
    name: 'narrow',
    models: { plain: {}, [LONG]: {} },
  });
  assert.equal(body.name, 'narrow');
  const models = { plain: { requests_per_minute: 5 }, 'zai-org/GLM-4.7-Flash': {} };
  const { key } = await gateway.createKey({ tenant: 'narrow', models });
  const { data } = JSON.parse((await get('/v1/models', key)).body.toString()) as { data: { id: string }[] };
  assert.deepEqual(
    data.map(({ id }) => id),
    ['plain'],
  );
  assertRefused(await get('/v1/models/zai-org/GLM-4.7-Flash', key), 'model_not_found');
});

test('a model is found by its id, with slashes as they are or escaped, however long it is', async () => {
  for (const path of ['zai-org/GLM-4.7-Flash', 'zai-org%2FGLM-4.7-Flash', 'zai-org%2fGLM-4.7-Flash']) {
    const reply = await get(`/v1/models/${path}`);
    assert.equal(reply.status, 200, path);
    const { id, object } = JSON.parse(reply.body.toString()) as Record<string, unknown>;
    assert.deepEqual([id, object], ['zai-org/GLM-4.7-Flash', 'model']);
  }
  assert.equal((await get(`/v1/models/${LONG}`)).status, 200);
});

test('an id that nobody has is 404', async () => {
  for (const id of ['nothing', '', 'constructor', '../models', 'zai-org', 'x'.repeat(4_000), '%2e%2e%2f']) {
    const { param } = assertRefused(await get(`/v1/models/${id}`), 'model_not_found');
    assert.equal(param, 'model');
  }
});

test('without a key there is nothing to see', async () => {
  assertRefused(await get('/v1/models', 'nonsense'), 'invalid_api_key');
  assertRefused(await get('/v1/models/plain', 'nonsense'), 'invalid_api_key');
});

function get(path: string, key = gateway.key): Promise<Reply> {
  return send(gateway.url, path, { method: 'GET', headers: bearer(key) });
}
