/** All answers together have a bound in memory; what finds no room is relayed, but not kept. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TapeRoom } from '../../../src/upstream/shared/answer-tape.ts';
import { PlayedServer, playShared } from './ground.ts';

test('where there is no room left an answer goes on to those who listen, and nobody joins any more', (t) => {
  const room = new TapeRoom(20_000);
  const servers = [new PlayedServer(t, 'one'), new PlayedServer(t, 'two')] as const;
  const [first, second] = servers.map((server) => playShared(t, 100_000, [server], room));
  assert.ok(first && second);
  const event = 'data: {"choices":[]}\n\n';
  const listeners = [first, second].map(({ begin, join }) => {
    const both = [join(), join()];
    begin();
    return both;
  });
  for (const server of servers) {
    server.answer();
    server.say(event);
  }
  assert.deepEqual([first.canBeJoined(), second.canBeJoined()], [true, false]);
  for (const server of servers) {
    server.say('data: [DONE]\n\n');
    server.finish();
  }
  for (const { text, end } of listeners.flat()) {
    assert.deepEqual([text, end], [`${event}data: [DONE]\n\n`, 'finished']);
  }
  assert.deepEqual([first.ends[0]?.kind, second.ends[0]?.kind], ['whole', 'too_long']);
  assert.ok(room.take(20_000), 'all is given back');
});
