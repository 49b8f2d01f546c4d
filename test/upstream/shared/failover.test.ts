/** A shared call moves to another server as one: its callers notice nothing, whatever they have read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlayedServer, playShared } from './ground.ts';

const answer = 'data: {"choices":[]}\n\ndata: [DONE]\n\n';

test('a server that fails before a byte is left for another one, once for all', (t) => {
  const [ill, well] = [new PlayedServer(t, 'ill'), new PlayedServer(t, 'well')];
  const { begin, join, record } = playShared(t, 10_000, [ill, well]);
  const listeners = [join(), join()];
  begin();
  listeners[1]?.pause();
  ill.answer(500, 'application/json');
  ill.say('{"error":"stack trace"}');
  listeners.push(join());
  ill.finish();
  assert.ok(well.isAsked);
  listeners[1]?.resume();
  listeners.push(join());
  well.answer();
  well.say(answer);
  well.finish();
  for (const { status, text, end } of listeners)
    assert.deepEqual([status, text, end], [200, answer, 'finished']);
  assert.deepEqual([record.attempts, record.tried(200)], [2, 'ill 500, well 200']);
});

test('a server found frozen behind its headers is left, and nobody has to know', (t) => {
  const [frozen, well] = [new PlayedServer(t, 'frozen'), new PlayedServer(t, 'well')];
  const { begin, join } = playShared(t, 10_000, [frozen, well]);
  const listeners = [join(), join()];
  begin();
  listeners[1]?.pause();
  frozen.answer(200, 'application/json');
  frozen.upstream.waiting.moveAllAway();
  well.answer(201);
  well.say(answer);
  well.finish();
  listeners[1]?.resume();
  for (const { status, text, end } of listeners)
    assert.deepEqual([status, text, end], [201, answer, 'finished']);
});

test('where there is no other server all get the failure as the server gave it', (t) => {
  const only = new PlayedServer(t, 'only');
  const { begin, join, ends } = playShared(t, 10_000, [only]);
  const listeners = [join(), join()];
  begin();
  only.answer(500, 'application/json');
  only.say('{}');
  only.finish();
  for (const { status, text, end } of listeners)
    assert.deepEqual([status, text, end], [500, '{}', 'finished']);
  assert.deepEqual(
    ends.map(({ kind }) => kind),
    ['failed', 'failed'],
  );
});

test('a connection that breaks is told to all, in words', (t) => {
  const only = new PlayedServer(t, 'only');
  const { begin, join } = playShared(t, 10_000, [only]);
  const listeners = [join(), join()];
  begin();
  only.answer();
  only.say('data: {"choices":[]}\n\n');
  only.break();
  for (const { end } of [...listeners]) assert.equal(end, 'reset');
});
