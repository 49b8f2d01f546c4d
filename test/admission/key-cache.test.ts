import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CachedKey, KeyCache } from '../../src/admission/keys/key-cache.ts';
import { missingKey } from '../../src/admission/keys/key-refusals.ts';

function cached(digest: string, tenant = 'acme', keyId = digest): CachedKey {
  const verdict = { ok: false, refusal: missingKey } as const;
  const times = { endsAtMs: 1, fetchedAtMs: 0, graceMs: 0, retryAtMs: 0 };
  const key = { digest, keyId, tenant, signingKey: undefined };
  return { ...key, verdict, verdictAfterEnd: verdict, ...times, stale: false, used: false };
}

test('a full cache drops what was not used lately', () => {
  const cache = new KeyCache(3);
  for (const digest of ['a', 'b', 'c']) cache.put(cached(digest));
  cache.get('a');
  cache.put(cached('d'));
  cache.put(cached('e'));
  assert.equal(cache.size, 3);
  assert.ok(cache.get('a'));
  assert.equal(cache.get('b'), undefined);
  assert.equal(cache.get('c'), undefined);
});

test('a full cache of which every entry was used still takes a new one', () => {
  const cache = new KeyCache(2);
  for (const digest of ['a', 'b']) cache.put(cached(digest));
  for (const digest of ['a', 'b']) cache.get(digest);
  cache.put(cached('c'));
  assert.equal(cache.size, 2);
  assert.ok(cache.get('c'));
});

test('a change of a key drops all its secrets, a change of a tenant all its keys, and no others', () => {
  const cache = new KeyCache(10);
  cache.put(cached('a', 'acme', 'key_1'));
  cache.put(cached('b', 'acme', 'key_1'));
  cache.put(cached('c', 'acme', 'key_2'));
  cache.put(cached('d', 'other', 'key_3'));
  cache.dropKey('acme', 'key_1');
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((digest) => cache.get(digest) !== undefined),
    [false, false, true, true],
  );
  cache.dropTenant('acme');
  assert.equal(cache.get('c'), undefined);
  assert.ok(cache.get('d'));
  assert.equal(cache.size, 1);
});
