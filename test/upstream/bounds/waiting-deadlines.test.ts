/** Nobody waits past the deadline, and whoever has none left takes no place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playRoom, Server } from './support/room.ts';

test('the caller’s deadline ends the wait', (t) => {
  const { room, enter, advance, shed, admitted } = playRoom(t);
  enter('hurried', { deadlineMs: 50 });
  enter('patient', { deadlineMs: 5_000 });
  advance(49);
  assert.equal(room.size, 2);
  advance(1);
  assert.deepEqual(shed, [{ name: 'hurried', why: 'expired', retryAfterMs: 1_000 }]);
  room.freed(new Server(2));
  assert.deepEqual(admitted, ['patient']);
});

test('the room’s own limit ends the wait of those with a later deadline', (t) => {
  const { room, enter, advance, shed } = playRoom(t, { waitMsMax: 200 });
  advance(1_000);
  enter('patient', { deadlineMs: 60_000 });
  advance(199);
  assert.equal(room.size, 1);
  advance(1);
  assert.equal(room.size, 0);
  assert.deepEqual(shed[0]?.why, 'expired');
});

test('whoever comes with no time left is sent away at once', (t) => {
  const { room, enter, advance } = playRoom(t);
  advance(100);
  assert.equal(enter('late', { deadlineMs: 100 }).kind, 'shed');
  assert.equal(room.size, 0);
});

test('a place goes past those whose time is over, although their timers are late', (t) => {
  const { room, enter, stall, shed, admitted } = playRoom(t);
  enter('over', { deadlineMs: 50 });
  enter('in time', { deadlineMs: 5_000 });
  stall(50);
  room.freed(new Server(1));
  assert.deepEqual(admitted, ['in time']);
  assert.deepEqual(
    shed.map(({ name, why }) => [name, why]),
    [['over', 'expired']],
  );
});

test('whoever was admitted is not called again when its deadline passes', (t) => {
  const { room, enter, advance, shed } = playRoom(t);
  enter('served', { deadlineMs: 50 });
  room.freed(new Server(1));
  advance(100);
  assert.deepEqual(shed, []);
});
