/** Whoever guesses at keys has a few looked up and no more; whoever has a key that is known notices nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIRST_LOOKUPS_MAX, GuardedLookups } from '../../src/admission/guarded-lookups.ts';
import { Guesses } from '../../src/admission/guesses.ts';
import { newKeyId, newSecret } from '../../src/admission/keys/key-format.ts';
import { keyCannotBeChecked } from '../../src/admission/keys/key-refusals.ts';
import { errorBody } from '../../src/core/errors.ts';
import { must, newKey, openGround, quiet, type Replica, told, until } from './ground.ts';
import { redisCalls } from './redis-calls.ts';

const LIMIT = 20;
const GUESSER = '192.0.2.66';

async function tryKey(replica: Replica, key: string, address = GUESSER, nowMs = Date.now()): Promise<string> {
  return told(await replica.authenticate(key, address, nowMs));
}

const guess = (replica: Replica, address = GUESSER) => tryKey(replica, newSecret(newKeyId()), address);

async function block(replica: Replica, address = GUESSER): Promise<void> {
  for (let count = 0; count < LIMIT; count += 1) assert.match(await guess(replica, address), /^401 unknown/);
  assert.match(await guess(replica, address), /^429/);
}

test('10,000 unknown keys of one address one by one cost as many look-ups as it may have, and a known key is answered from memory all the while', async (t) => {
  const { store, connection, replica } = await openGround(t);
  const other = await replica({ cache_seconds: 300 });
  const { secret } = await newKey(store);
  assert.equal(await tryKey(other, secret), 'ok');
  const before = await redisCalls(connection);
  let slowestMs = 0;
  for (let round = 0; round < 10_000; round += 1) {
    await guess(other);
    const begunMs = performance.now();
    const verdict = other.authenticate(secret, GUESSER, Date.now());
    slowestMs = Math.max(slowestMs, performance.now() - begunMs);
    assert.ok(!(verdict instanceof Promise), 'answered at once');
    assert.equal(told(verdict), 'ok');
  }
  t.diagnostic(`slowest answer to the known key: ${slowestMs.toFixed(2)} ms`);
  assert.equal((await redisCalls(connection)) - before, LIMIT);
  assert.equal(other.outcomes.filter((outcome) => outcome === 'limited').length, 10_000 - LIMIT);
  assert.ok(slowestMs < 150, `${slowestMs} ms`);
});

test('10,000 unknown keys of one address all at once cost no more look-ups than may be under way', async (t) => {
  const { connection, replica } = await openGround(t);
  const other = await replica({ cache_seconds: 300 });
  const before = await redisCalls(connection);
  const answers = await Promise.all(Array.from({ length: 10_000 }, () => guess(other)));
  const spent = (await redisCalls(connection)) - before;
  t.diagnostic(`look-ups: ${spent}`);
  assert.ok(spent <= FIRST_LOOKUPS_MAX + LIMIT, `${spent}`);
  assert.ok(answers.every((answer) => /^(401 unknown|429|503)/.test(answer)));
  assert.match(await guess(other), /^429/);
});

test('a blocked address is told nothing of the key, and when to come again', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica();
  await block(other);
  const { secret } = await newKey(store);
  const bodies = new Set<string>();
  for (const key of [secret, newSecret(newKeyId())]) {
    const verdict = await other.authenticate(key, GUESSER, Date.now());
    assert.ok(!verdict.ok);
    assert.equal(verdict.refusal.name, 'too_many_failed_keys');
    const seconds = Number(verdict.refusal.headers?.['Retry-After']);
    assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, `${seconds}`);
    bodies.add(errorBody(verdict.refusal));
  }
  assert.equal(bodies.size, 1);
  assert.equal(await tryKey(other, secret, '192.0.2.67'), 'ok', 'another address is free');
});

test('a known key passes from a blocked address also when its record is too old for memory', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica({ cache_seconds: 10 });
  const { secret } = await newKey(store);
  assert.equal(await tryKey(other, secret), 'ok');
  await block(other);
  assert.equal(await tryKey(other, secret, GUESSER, Date.now() + 11_000), 'ok');
  assert.equal(other.outcomes.at(-1), 'redis');
});

test('a known key passes from a blocked address also when a change has dropped its record', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica({ cache_seconds: 300 });
  const { record, secret } = await newKey(store);
  assert.equal(await tryKey(other, secret), 'ok');
  await block(other);
  must(await store.update(record.id, { name: 'renamed' }));
  await until(async () => {
    assert.equal(await tryKey(other, secret), 'ok');
    return other.outcomes.at(-1) === 'redis'; // until the change has arrived it is 'memory'
  });
  assert.match(await guess(other), /^429/, 'the address was blocked all the while');
});

test('a key named by the configuration passes from a blocked address', async (t) => {
  const { replica } = await openGround(t);
  const other = await replica({ environment: [{ tenant: 'acme', key: 'named-by-the-file' }] });
  await block(other);
  assert.equal(await tryKey(other, 'named-by-the-file'), 'ok');
});

test('two hundred keys that are new to the replica pass at once from one address', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica();
  const keys = await Promise.all(Array.from({ length: 200 }, () => newKey(store)));
  const answers = await Promise.all(keys.map(({ secret }) => tryKey(other, secret)));
  assert.deepEqual([...new Set(answers)], ['ok']);
});

test('while Redis is away a blocked address gets 503 like everybody, never 429', async (t) => {
  const { redis, replica } = await openGround(t);
  const other = await replica();
  await block(other);
  redis.pause();
  await until(async () => /^503/.test(await guess(other)));
  assert.match(await guess(other), /^503/);
  redis.resume();
  await until(async () => /^429/.test(await guess(other)));
});

test('while the data of Redis are not trusted a blocked address gets 503 like everybody, never 429', async () => {
  const memory = { isKnown: () => false, fetch: async () => keyCannotBeChecked('the data may be missing') };
  const guesses = new Guesses({ perMinute: 1, log: quiet });
  await guesses.failed(GUESSER, 'wrong', Date.now());
  let trusted = true;
  const others = { isNamed: () => false, foundMax: 10 };
  const lookups = new GuardedLookups({ memory, guesses, canBeAsked: () => trusted, ...others });
  const status = async () => {
    const found = await lookups.find('new', GUESSER, Date.now());
    assert.ok(typeof found === 'object' && !('digest' in found));
    return 'denied' in found ? found.refusal.status : found.status;
  };
  assert.equal(await status(), 429);
  trusted = false;
  assert.equal(await status(), 503);
});

test('with the limit at 0 every unknown key is looked up', async (t) => {
  const { replica } = await openGround(t);
  const other = await replica({ failed_lookups_per_minute: 0 });
  for (let count = 0; count < 3 * LIMIT; count += 1) assert.match(await guess(other), /^401 unknown/);
});
