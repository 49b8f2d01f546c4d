/** A new configuration replaces the models and keeps the servers that are still the same ones. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { ConfigInput } from '../../src/config/schema.ts';
import { Models } from '../../src/upstream/models.ts';
import { configured } from './support/configured.ts';

const models = [{ name: 'm', upstreams: ['a'] }];
const withServer = (changes: Partial<NonNullable<ConfigInput['upstreams']>[number]>) =>
  configured({
    upstreams: [{ name: 'a', url: 'http://a.test/base', api_key: 'secret', ...changes }],
    models,
  });

function reloaded(changes: Parameters<typeof withServer>[0]) {
  const all = new Models(withServer({}));
  const before = all.upstreams.get('a');
  const { fresh, commit } = all.prepare(withServer(changes));
  const untilThen = all.upstreams.get('a');
  commit();
  return { before, untilThen, fresh, after: all.upstreams.get('a') };
}

test('with name, address and key as before a server stays the same object, and takes over the rest', () => {
  const health = { path: '/up', timeout_ms: 500, completion: { model: 'x' } };
  const { before, after, fresh } = reloaded({
    ...{ gpus: 8, max_in_flight: 32, capacity: 24.5, load_metrics: false },
    ...{ labels: { zone: 'b' }, health },
  });
  assert.equal(after, before);
  assert.deepEqual(fresh, []);
  assert.deepEqual(after?.settings, {
    discover: false,
    gpus: 8,
    maxInFlight: 32,
    capacity: 24.5,
    loadMetricsPath: undefined,
    labels: { zone: 'b' },
    healthCheck: { path: '/up', timeoutMs: 500, completionModel: 'x' },
  });
});

for (const changes of [{ url: 'http://a.test:81/base' }, { url: 'http://a.test' }, { api_key: 'another' }]) {
  test(`with ${Object.keys(changes)[0]} ${Object.values(changes)[0]} it is another server, from the commit on`, () => {
    const { before, untilThen, after, fresh } = reloaded(changes);
    assert.equal(untilThen, before);
    assert.notEqual(after, before);
    assert.deepEqual(fresh, [after]);
  });
}

test('a server that is gone finishes its call, then its connection is closed; a straggler is served still', async (t) => {
  let answer = () => {};
  const server = createServer((_request, response) => {
    response.write('begun ');
    answer = () => void response.end('done');
  });
  server.keepAliveTimeout = 60_000;
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const all = new Models(configured({ upstreams: [{ name: 'a', url }], models }));
  const upstream = all.upstreams.get('a');
  assert.ok(upstream);

  const connected = once(server, 'connection');
  const asked = await upstream.connections(1_000).request({ method: 'GET', path: '/' });
  const [socket] = await connected;
  const closed = once(socket, 'close');
  all.prepare(configured({ upstreams: [], models: [] })).commit();
  assert.equal(all.upstreams.has('a'), false);
  answer();
  assert.equal(await asked.body.text(), 'begun done');
  await closed;

  const late = await upstream.connections(1_000).request({ method: 'GET', path: '/' });
  answer();
  assert.equal(await late.body.text(), 'begun done');
  await upstream.close();
});

test('a model that was resolved before keeps its servers', () => {
  const all = new Models(withServer({}));
  const model = all.resolve('m', 0, Math.random);
  const before = all.upstreams.get('a');
  all.prepare(withServer({ url: 'http://b.test' })).commit();
  assert.equal(model?.pool.members[0]?.upstream, before);
  assert.notEqual(all.resolve('m', 0, Math.random)?.pool.members[0]?.upstream, before);
});
