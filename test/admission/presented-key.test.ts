import assert from 'node:assert/strict';
import { test } from 'node:test';
import { presentedKey } from '../../src/admission/presented-key.ts';

test('the key is found in each of the three places', () => {
  assert.equal(presentedKey({ authorization: 'Bearer K' }), 'K');
  assert.equal(presentedKey({ authorization: 'bEARER  K ' }), 'K');
  assert.equal(presentedKey({ authorization: 'K' }), 'K');
  assert.equal(presentedKey({ 'x-api-key': 'K' }), 'K');
});

test('Authorization goes before x-api-key, and another scheme is passed over', () => {
  assert.equal(presentedKey({ authorization: 'Bearer A', 'x-api-key': 'B' }), 'A');
  assert.equal(presentedKey({ authorization: 'Basic dTpw', 'x-api-key': 'B' }), 'B');
  assert.equal(presentedKey({ authorization: 'Basic dTpw' }), undefined);
});

test('no key is no key', () => {
  for (const headers of [
    {},
    { authorization: '' },
    { authorization: 'Bearer' },
    { authorization: 'Bearer  ' },
  ]) {
    assert.equal(presentedKey(headers), undefined, JSON.stringify(headers));
  }
  assert.equal(presentedKey({ 'x-api-key': ['A', 'B'] }), undefined);
});

test('what is too long to be a key is cut off', () => {
  assert.equal(presentedKey({ authorization: `Bearer ${'k'.repeat(16_000)}` })?.length, 257);
});
