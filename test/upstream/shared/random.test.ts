/** Random callers come, pause, go on and leave; a simple model says what each of them, and the server, must see. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TapeRoom } from '../../../src/upstream/shared/answer-tape.ts';
import { pick, seeded } from '../support/splits.ts';
import { type Listener, PlayedServer, playShared } from './ground.ts';

const ROUNDS = 150;
const STEPS = 120;
const BYTES_MAX = 2_000;
const ROOM_BYTES = 10_000;

for (const seed of [1, 2, 3]) {
  test(`${ROUNDS} calls with random callers, seed ${seed}`, (t) => {
    const random = seeded(seed);
    let stepsTaken = 0;
    for (let round = 0; round < ROUNDS; round += 1) stepsTaken += playRound(random, new PlayedServer(t, 's'));

    function playRound(next: () => number, server: PlayedServer): number {
      const room = new TapeRoom(ROOM_BYTES);
      const isKept = next() < 0.2;
      const { shared, begin, join, ended, canBeJoined, ends } = playShared(
        ...([t, BYTES_MAX, [server], room] as const),
      );
      const listeners: Listener[] = [join(isKept)];
      const left = new Set<Listener>();
      let told = 0;
      let text = '';
      begin();
      server.answer();
      let steps = 0;
      for (; steps < STEPS && !shared.isOver; steps += 1) {
        const one = pick(next, listeners as [Listener, ...Listener[]]);
        const what = next();
        if (what < 0.4 && !server.isPaused) {
          const event = `data: {"choices":[{"delta":{"content":"${'x'.repeat(next() * 120)}"}}]}\n\n`;
          const cut = Math.floor(next() * event.length);
          for (const piece of [event.slice(0, cut), event.slice(cut)]) server.say(piece);
          text += event;
        } else if (what < 0.55 && canBeJoined()) {
          listeners.push(join());
        } else if (what < 0.7) {
          one.pause();
        } else if (what < 0.9) {
          if (!left.has(one)) one.resume();
        } else if (what < 0.94) {
          left.add(one);
          one.source.stop('left');
        } else if (what > 0.99 && !server.isPaused) {
          server.say('data: [DONE]\n\n');
          text += 'data: [DONE]\n\n';
          server.finish();
          told = listeners.length;
        }
        check();
      }
      if (!shared.isOver) {
        shared.breakOff({ name: 'draining', status: 503, message: 'bye' } as never);
      }
      for (const listener of listeners) if (!left.has(listener)) listener.resume();
      for (const listener of listeners) {
        if (left.has(listener)) continue;
        assert.equal(listener.text, text, 'whoever stays gets everything');
        if (told > 0) assert.equal(listener.end, 'finished');
        else assert.notEqual(listener.end, undefined);
      }
      assert.ok(room.take(ROOM_BYTES), 'nothing is left in memory');
      assert.equal(ended().length, 1, 'it is over once');
      assert.equal(ends.length, listeners.length);
      return steps;

      function check(): void {
        const present = listeners.filter((one) => !left.has(one));
        assert.equal(canBeJoined(), !shared.isOver && text.length <= BYTES_MAX);
        for (const one of present) {
          assert.ok(text.startsWith(one.text), 'in order, nothing twice');
          if (!one.isPaused)
            assert.equal(one.text.length, text.length, 'whoever reads has all that has come');
        }
        if (present.length === 0 && !isKept) assert.ok(server.isAborted || told > 0, 'nobody listens');
        else assert.ok(!server.isAborted, 'somebody listens, or it is kept');
        if (shared.isOver) return;
        const isBehind = present.some((one) => one.text.length < text.length);
        assert.equal(
          server.isPaused,
          text.length > BYTES_MAX && isBehind,
          'the server waits for the slowest',
        );
      }
    }
    t.diagnostic(`${stepsTaken} steps`);
  });
}
