import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RedisClient } from '../../src/redis/connection.ts';
import { must, newKey, openGround } from './ground.ts';

test('nothing in Redis contains a key, made here or imported', async (t) => {
  const { store, connection } = await openGround(t);
  const created = await newKey(store);
  const rotated = must(await store.rotate(created.record.id, {}));
  const foreign = 'sk-brought-along-0123456789';
  must(
    await store.importKeys([{ key: foreign, tenant: 'acme', name: 'old', used_quota: 5 }], { prefix: 'sk-' }),
  );

  const dump = await connection.ask(async (client) => {
    const everything: string[] = [];
    for (const key of await client.keys('*')) {
      const value = await contentOf(client, key);
      everything.push(key, JSON.stringify(value));
    }
    return everything;
  });
  assert.ok(dump.ok);
  const text = dump.value.join('\n');
  assert.ok(text.includes(created.record.id), 'the dump is real');
  for (const secret of [created.secret, rotated.secret, foreign]) {
    const random = secret.slice(-20);
    for (const form of [
      random,
      Buffer.from(secret).toString('base64').slice(0, 20),
      Buffer.from(secret).toString('hex'),
    ]) {
      assert.ok(!text.includes(form));
    }
  }
  for (const key of dump.value.filter((_, index) => index % 2 === 0)) assert.match(key, /^sluice:1:/);
});

async function contentOf(client: RedisClient, key: string): Promise<unknown> {
  const type = await client.type(key);
  if (type === 'string') return client.get(key);
  if (type === 'set') return client.smembers(key);
  if (type === 'hash') return client.hgetall(key);
  return client.zrange(key, 0, '-1');
}
