import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { ask, must, newKey, openGround, until } from './ground.ts';

/** Its subscription stands, and nothing ever comes over it. */
function deaf(connection: RedisConnection): RedisConnection {
  return {
    ...connection,
    subscribe: (channel, { subscribed }) =>
      connection.subscribe(channel, { subscribed, received: () => undefined }),
  };
}

test('a revoked key whose message is lost is refused within the cache time, however hot it is', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica({ cache_seconds: 0.5 }, deaf);
  const { record, secret } = await newKey(store);
  assert.equal(await ask(other, secret), 'ok');
  must(await store.revoke(record.id));
  const tookMs = await until(async () => (await ask(other, secret)) !== 'ok');
  assert.ok(tookMs <= 1_500, `${tookMs} ms, of 500`);
});

test('a key that was last seen long ago is asked for before it is served', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica({ cache_seconds: 10 }, deaf);
  const { record, secret } = await newKey(store);
  assert.equal(await ask(other, secret), 'ok');
  must(await store.revoke(record.id));
  assert.equal(await ask(other, secret, Date.now() + 10_001), `401 revoked ${record.id}`);
});

test('a replica whose subscriber was cut off asks anew as soon as it listens again', async (t) => {
  const { store, replica, connection } = await openGround(t);
  const other = await replica({ cache_seconds: 300 });
  const { record, secret } = await newKey(store);
  assert.equal(await ask(other, secret), 'ok');
  // Both in one step, so that the message finds nobody.
  const { keys } = connection;
  const stored = await connection.ask(async (client) => client.get(keys.key('acme', record.id)));
  assert.ok(stored.ok && stored.value);
  const revoked = JSON.stringify({ ...JSON.parse(stored.value), status: 'revoked' });
  const cut = await connection.ask((client) =>
    client.multi().call('CLIENT', 'KILL', 'TYPE', 'pubsub').set(keys.key('acme', record.id), revoked).exec(),
  );
  assert.ok(cut.ok);
  await until(async () => (await ask(other, secret)) === `401 revoked ${record.id}`);
});

test('a clock that was set back does not lengthen the life of a record', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica({ cache_seconds: 10 }, deaf);
  const { record, secret } = await newKey(store);
  assert.equal(await ask(other, secret), 'ok');
  must(await store.revoke(record.id));
  assert.equal(await ask(other, secret, Date.now() - 3_600_000), `401 revoked ${record.id}`);
});
