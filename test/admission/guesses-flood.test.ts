/** Many addresses together cannot have more looked up at a time than Redis bears, and each refusal is counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIRST_LOOKUPS_MAX } from '../../src/admission/guarded-lookups.ts';
import { newKeyId, newSecret } from '../../src/admission/keys/key-format.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { newKey, openGround, told, until } from './ground.ts';
import { redisCalls } from './redis-calls.ts';

const ADDRESSES = 10_000;

/** A connection that notes how many questions are under way at most. */
function watched() {
  const seen = { now: 0, most: 0 };
  const wrap = (connection: RedisConnection): RedisConnection => ({
    ...connection,
    async ask(commands) {
      seen.now += 1;
      seen.most = Math.max(seen.most, seen.now);
      try {
        return await connection.ask(commands);
      } finally {
        seen.now -= 1;
      }
    },
  });
  return { seen, wrap };
}

test('unknown keys of 10,000 addresses at once: some are looked up, the others get 503, and a known key is served', async (t) => {
  const { store, connection, replica } = await openGround(t);
  const { seen, wrap } = watched();
  const other = await replica({ cache_seconds: 300 }, wrap);
  const { secret } = await newKey(store);
  assert.equal(told(await other.authenticate(secret, '10.0.0.1', Date.now())), 'ok');
  const before = await redisCalls(connection);
  const begun = other.outcomes.length;
  seen.most = 0;

  const answers = Array.from({ length: ADDRESSES }, (_, index) => {
    const address = `10.1.${index >> 8}.${index & 255}`;
    return other.authenticate(newSecret(newKeyId()), address, Date.now());
  });
  const known = other.authenticate(secret, '10.1.0.0', Date.now());
  assert.ok(!(known instanceof Promise) && known.ok);

  const told401 = (await Promise.all(answers)).filter((verdict) => told(verdict).startsWith('401'));
  const crowded = other.outcomes.slice(begun).filter((outcome) => outcome === 'crowded').length;
  t.diagnostic(`looked up ${told401.length}, refused ${crowded}, at most ${seen.most} at once`);
  assert.equal((await redisCalls(connection)) - before, told401.length);
  assert.equal(seen.most, FIRST_LOOKUPS_MAX);
  assert.equal(told401.length + crowded, ADDRESSES);
});

test('one unknown key a hundred times at once is one look-up', async (t) => {
  const { connection, replica } = await openGround(t);
  const other = await replica({ cache_seconds: 300 });
  const before = await redisCalls(connection);
  const secret = newSecret(newKeyId());
  await Promise.all(Array.from({ length: 100 }, () => other.authenticate(secret, '192.0.2.1', Date.now())));
  assert.equal((await redisCalls(connection)) - before, 1);
});

test('look-ups that Redis never answers free their places', async (t) => {
  const { redis, connection, replica } = await openGround(t);
  const other = await replica();
  redis.pause();
  const ask = () => other.authenticate(newSecret(newKeyId()), '192.0.2.1', Date.now());
  const verdicts = await Promise.all(Array.from({ length: 2 * FIRST_LOOKUPS_MAX }, ask));
  assert.ok(verdicts.every((verdict) => told(verdict).startsWith('503')));
  redis.resume();
  await until(() => connection.state() === 'ok');
  await until(async () => told(await ask()).startsWith('401'));
});
