/** A server that is stopped because a caller does not read is not taken for one that has fallen silent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlayedServer, playShared } from './ground.ts';

/** As the ground has it. */
const IDLE_MS = 60_000;

test('the time for which the server was stopped does not count against it', (t) => {
  let nowMs = 1_000;
  t.mock.method(performance, 'now', () => nowMs);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const wait = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 500) {
      nowMs += 500;
      t.mock.timers.tick(500);
    }
  };
  const server = new PlayedServer(t, 's');
  const { begin, join, ended } = playShared(t, 10, [server]);
  const [slow, fast] = [join(), join()];
  begin();
  server.answer();
  slow.pause();
  server.say('data: {"choices":[]}\n\n');
  assert.ok(server.isPaused);
  wait(1.5 * IDLE_MS);
  assert.deepEqual(ended(), []);
  slow.resume();
  assert.ok(!server.isPaused);
  wait(0.9 * IDLE_MS);
  assert.deepEqual(ended(), []);
  server.say('data: {"choices":[]}\n\n');
  assert.equal(fast.text, slow.text);
  wait(1.1 * IDLE_MS);
  assert.deepEqual(ended(), ['failed']);
});
