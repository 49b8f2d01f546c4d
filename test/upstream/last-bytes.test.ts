/** The last bytes of an answer do not lie in memory for as long as their caller likes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IDLE_MS, playRelay } from './support/played-relay.ts';

const DONE = 'data: [DONE]\n\n';

test('a caller who does not take them is cut after the idle time', async (t) => {
  const relay = playRelay(t);
  relay.headers();
  relay.wire.isStopped = true;
  relay.data('data: {"choices":[]}\n\n');
  relay.data(DONE);
  relay.end();
  await relay.body();
  relay.wait(IDLE_MS - 100);
  assert.equal(relay.wire.destroyed, false);
  relay.wait(200);
  assert.equal(relay.wire.destroyed, true);
});

test('a caller who takes them is left alone', async (t) => {
  const relay = playRelay(t);
  relay.headers();
  relay.data(DONE);
  relay.end();
  assert.equal(await relay.body(), DONE);
  relay.wait(2 * IDLE_MS);
  assert.equal(relay.wire.destroyed, false);
});
