/** A caller who has gone is out of the room at once, and is not called any more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Played, playRoom, Server } from './support/room.ts';

function enterAndLeave({ enter }: Played, name: string): () => void {
  const entry = enter(name, { deadlineMs: 50 });
  assert.equal(entry.kind, 'wait');
  return () => entry.kind === 'wait' && entry.leave();
}

test('a place goes past whoever has left', (t) => {
  const played = playRoom(t);
  const leave = enterAndLeave(played, 'gone');
  played.enter('here');
  leave();
  assert.equal(played.room.size, 1);
  played.room.freed(new Server(2));
  played.advance(100);
  assert.deepEqual(played.admitted, ['here']);
  assert.deepEqual(played.shed, []);
});

test('the chair of whoever has left is free', (t) => {
  const played = playRoom(t, { waitersMax: 1 });
  const leave = enterAndLeave(played, 'gone');
  leave();
  assert.equal(played.enter('next').kind, 'wait');
});

test('leaving twice, or after having been admitted or sent away, does nothing', (t) => {
  const played = playRoom(t);
  const leaveTwice = enterAndLeave(played, 'twice');
  leaveTwice();
  leaveTwice();
  const leaveLate = enterAndLeave(played, 'served');
  played.room.freed(new Server(1));
  const leaveLater = enterAndLeave(played, 'expired');
  played.advance(50);
  played.enter('here');
  leaveLate();
  leaveLater();
  assert.equal(played.room.size, 1);
});
