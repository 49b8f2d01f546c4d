import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyStore } from '../../src/admission/keys/key-store.ts';
import { ask, configFor, must, newKey, openGround } from './ground.ts';

test('changes made at once through several replicas are all kept', async (t) => {
  const { redis, store, connect, replica } = await openGround(t);
  const { record, secret } = await newKey(store);
  const stores = [store];
  for (let count = 0; count < 3; count += 1) {
    stores.push(createKeyStore({ redis: await connect(), config: configFor(redis), now: Date.now }));
  }
  const changes = [
    { name: 'renamed' },
    { models: ['small'] },
    { expires_at: '2099-01-01T00:00:00Z' },
    { status: 'disabled' as const },
  ];
  const results = await Promise.all([
    ...stores.flatMap((each, index) =>
      Array.from({ length: 4 }, () => each.update(record.id, changes[index] ?? {})),
    ),
    store.rotate(record.id),
  ]);
  for (const result of results) must(result);

  const { record: last } = must(await store.get(record.id));
  assert.deepEqual(
    [last.name, last.models, last.expires_at, last.status, last.revision],
    ['renamed', ['small'], '2099-01-01T00:00:00.000Z', 'disabled', 1 + 17],
  );
  must(await store.update(record.id, { status: 'active' }));
  const other = await replica();
  assert.equal(await ask(other, secret), 'ok');
  const rotated = results.at(-1);
  assert.ok(rotated?.ok && 'secret' in rotated);
  assert.equal(await ask(other, String(rotated.secret)), 'ok');
});

test('a revocation is never undone by an update that began before it', async (t) => {
  const { store } = await openGround(t);
  for (let round = 0; round < 20; round += 1) {
    const { record } = await newKey(store);
    await Promise.all([
      store.update(record.id, { status: 'active', name: 'a' }),
      store.revoke(record.id),
      store.update(record.id, { status: 'active', name: 'b' }),
      store.rotate(record.id),
    ]);
    assert.equal(must(await store.get(record.id)).record.status, 'revoked');
  }
});

test('a pointer whose secret the record does not name opens nothing', async (t) => {
  const { store, connection, replica } = await openGround(t);
  const { record, secret } = await newKey(store);
  const other = await replica();
  const key = connection.keys.key('acme', record.id);
  const stored = await connection.ask((client) => client.get(key));
  assert.ok(stored.ok && stored.value);
  await connection.ask((client) =>
    client.set(key, JSON.stringify({ ...JSON.parse(String(stored.value)), secrets: [] })),
  );
  assert.equal(await ask(other, secret), `401 superseded ${record.id}`);
});
