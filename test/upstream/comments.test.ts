/** A silent stream is kept alive by comments, at the right time and in the right place only. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playRelay } from './support/played-relay.ts';

const EVENT = 'data: {"choices":[]}\n\n';
const COMMENT = ': keep-alive\n\n';
const EVERY_MS = 15_000;

test('before the headers of the server nothing is sent: the answer may yet become an error', async (t) => {
  const relay = playRelay(t);
  relay.wait(59_900);
  assert.equal(relay.wire.text, '');
  relay.wait(200);
  assert.equal(relay.refused()?.name, 'upstream_timeout');
});

test('between its headers and its first event there is a comment every 15 s', async (t) => {
  const relay = playRelay(t);
  relay.headers();
  relay.wait(EVERY_MS - 100);
  assert.equal(relay.wire.text, '');
  relay.wait(200);
  assert.equal(await relay.body(), COMMENT);
  relay.wait(EVERY_MS);
  assert.equal(await relay.body(), COMMENT.repeat(2));
  relay.data(`${EVENT}data: [DONE]\n\n`);
  relay.end();
  assert.equal(await relay.body(), `${COMMENT.repeat(2)}${EVENT}data: [DONE]\n\n`);
});

test('every event starts the 15 s anew', async (t) => {
  const relay = playRelay(t);
  relay.headers();
  for (let round = 0; round < 5; round += 1) {
    relay.data(EVENT);
    relay.wait(EVERY_MS - 1_000);
  }
  assert.equal(await relay.body(), EVENT.repeat(5));
  relay.wait(1_100);
  assert.equal(await relay.body(), EVENT.repeat(5) + COMMENT);
});

test('inside an event there is none, and it is whole when its rest has come', async (t) => {
  const relay = playRelay(t);
  relay.headers();
  relay.data(`${EVENT}data: {"cho`);
  relay.wait(3 * EVERY_MS);
  assert.equal(await relay.body(), EVENT);
  relay.data('ices":[]}\n\n');
  assert.equal(await relay.body(), EVENT + EVENT);
  relay.wait(EVERY_MS + 100);
  assert.equal(await relay.body(), EVENT + EVENT + COMMENT);
});

test('a caller who does not read gets none: they would only pile up', async (t) => {
  const relay = playRelay(t);
  relay.headers();
  relay.wire.isStopped = true;
  relay.data(EVENT.repeat(20_000));
  await relay.body();
  const { writableLength } = relay.response;
  assert.ok(writableLength > 100_000);
  relay.wait(3 * EVERY_MS);
  assert.equal(relay.response.writableLength, writableLength);
});

test('behind the end there is none', async (t) => {
  const relay = playRelay(t);
  relay.headers();
  relay.data('data: [DONE]\n\n');
  relay.end();
  relay.wait(5 * EVERY_MS);
  assert.equal(await relay.body(), 'data: [DONE]\n\n');
});
