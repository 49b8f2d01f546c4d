import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, must, newKey, openGround } from './ground.ts';

test('a key ends at the millisecond of its expiry, also from memory', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica({ cache_seconds: 300 });
  const endMs = Date.now() + 60_000;
  const { record, secret } = must(
    await store.create({
      tenant: 'acme',
      name: 'x',
      models: null,
      expires_at: new Date(endMs).toISOString(),
    }),
  );
  assert.equal(await ask(other, secret), 'ok');
  assert.equal(await ask(other, secret, endMs - 1), 'ok');
  assert.equal(await ask(other, secret, endMs), `401 expired ${record.id}`);
  assert.equal(new Set(other.outcomes.slice(1)).size, 1, 'answered from memory');
});

test('secrets that overlap are bounded in number', async (t) => {
  const { store } = await openGround(t);
  const { record } = await newKey(store);
  for (let round = 0; round < 7; round += 1) must(await store.rotate(record.id));
  const eighth = await store.rotate(record.id);
  assert.equal(eighth.ok ? 'ok' : eighth.refusal.name, 'conflict');
  must(await store.rotate(record.id, { overlap_seconds: 0 }));
});
