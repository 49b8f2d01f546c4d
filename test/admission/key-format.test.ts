import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generatedKeyId, newKeyId, newSecret } from '../../src/admission/keys/key-format.ts';

test('a generated key is readable, carries its public id and passes its own checksum', () => {
  const id = newKeyId();
  const secret = newSecret(id);
  assert.match(id, /^key_[0-9A-Za-z]{12}$/);
  assert.match(secret, /^slc_[0-9A-Za-z]{12}_[0-9A-Za-z]{36}$/);
  assert.equal(generatedKeyId(secret), id);
});

test('every single mistyped character is noticed', () => {
  const secret = newSecret(newKeyId());
  for (let place = 0; place < secret.length; place += 1) {
    const other = secret[place] === 'x' ? 'y' : 'x';
    const mistyped = secret.slice(0, place) + other + secret.slice(place + 1);
    assert.equal(generatedKeyId(mistyped), undefined, `place ${place}`);
  }
});

test('text that is longer, shorter or of other characters is no generated key', () => {
  const secret = newSecret(newKeyId());
  for (const text of [
    '',
    secret.slice(1),
    `${secret}0`,
    `${secret}\n`,
    ` ${secret}`,
    secret.replace('_', '-'),
  ]) {
    assert.equal(generatedKeyId(text), undefined, JSON.stringify(text));
  }
});

test('all 62 characters come up equally often', () => {
  const counts = new Map<string, number>();
  for (let round = 0; round < 5_000; round += 1) {
    for (const character of newKeyId().slice(4)) counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  // 60,000 characters: 968 of each, standard deviation 31. A bias of byte % 62 would give 1,172 to eight of them.
  assert.equal(counts.size, 62);
  for (const [character, count] of counts) assert.ok(Math.abs(count - 968) < 180, `${character}: ${count}`);
});
