import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKeyId, newSecret } from '../../src/admission/keys/key-format.ts';
import { ask, must, newKey, openGround } from './ground.ts';
import { redisCalls } from './redis-calls.ts';

test('100,000 malformed keys, or of a form that nobody declared, cost Redis not one command', async (t) => {
  const { store, connection, replica } = await openGround(t);
  must(await store.importKeys([{ key: 'sk-12345678', tenant: 'acme', name: 'x' }], { prefix: 'sk-' }));
  const other = await replica({ cache_seconds: 300 });
  assert.equal(await ask(other, 'sk-12345678'), 'ok');
  const { secret } = await newKey(store);

  const before = await redisCalls(connection);
  for (let round = 0; round < 50_000; round += 1) {
    const mistyped = secret.slice(0, -5) + String(10_000 + round);
    if (mistyped !== secret) assert.equal(await ask(other, mistyped), '401 malformed');
    assert.equal(await ask(other, `guess-${10_000 + round}-0123456789`), '401 malformed');
  }
  for (const bad of [
    'short',
    'with a space in it',
    'umlaut-äöü-0123',
    'k'.repeat(257),
    '\u0000'.repeat(20),
  ]) {
    assert.equal(await ask(other, bad), '401 malformed');
  }
  assert.equal(await ask(other, undefined), '401 missing');
  assert.equal(await redisCalls(connection), before);

  await ask(other, newSecret(newKeyId()));
  assert.ok((await redisCalls(connection)) > before, 'the count sees a look-up');
});

test('an unknown key is asked for once in a while, not each time', async (t) => {
  const { connection, replica } = await openGround(t);
  const other = await replica();
  const keyId = newKeyId();
  const secret = newSecret(keyId);
  assert.equal(await ask(other, secret), `401 unknown ${keyId}`);
  const before = await redisCalls(connection);
  for (let round = 0; round < 100; round += 1) assert.equal(await ask(other, secret), `401 unknown ${keyId}`);
  assert.equal(await redisCalls(connection), before);
});

test('whoever guesses reads the same words whatever was wrong', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica();
  const disabled = await newKey(store);
  must(await store.update(disabled.record.id, { status: 'disabled' }));
  const revoked = await newKey(store);
  must(await store.revoke(revoked.record.id));
  const expired = must(
    await store.create({ tenant: 'acme', name: 'x', models: null, expires_at: '2020-01-01T00:00:00Z' }),
  );
  const answers = new Set<string>();
  for (const key of [disabled.secret, revoked.secret, expired.secret, newSecret(newKeyId()), 'guess-0123']) {
    const verdict = await other.authenticate(key, '192.0.2.1', Date.now());
    assert.ok(!verdict.ok);
    const { reason, ...seen } = verdict.refusal;
    assert.ok(reason && !reason.includes(key));
    assert.deepEqual(seen.headers, { 'WWW-Authenticate': 'Bearer' });
    answers.add(JSON.stringify(seen));
  }
  assert.equal(answers.size, 1);
});
