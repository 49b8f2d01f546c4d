/** A free place goes to the highest priority, there to the tenants in turn, there to the first who came. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playRoom, Server } from './support/room.ts';

test('the first who came is the first served', (t) => {
  const { room, enter, admitted } = playRoom(t);
  for (const name of ['a', 'b', 'c']) enter(name);
  room.freed(new Server(2));
  assert.deepEqual(admitted, ['a', 'b']);
  assert.equal(room.size, 1);
});

test('a higher priority is served first, whenever it came', (t) => {
  const { room, enter, admitted } = playRoom(t);
  enter('low', { priority: -1 });
  enter('usual');
  enter('high', { priority: 7 });
  enter('usual too');
  room.freed(new Server(4));
  assert.deepEqual(admitted, ['high', 'usual', 'usual too', 'low']);
});

test('tenants of one priority take turns', (t) => {
  const { room, enter, admitted } = playRoom(t);
  for (const name of ['a1', 'a2', 'a3']) enter(name, { tenant: 'a' });
  for (const name of ['b1', 'b2']) enter(name, { tenant: 'b' });
  enter('c1', { tenant: 'c' });
  room.freed(new Server(6));
  assert.deepEqual(admitted, ['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
});

test('ten calls behind a hundred of another tenant are through within the first twenty', (t) => {
  const { room, enter, admitted } = playRoom(t, { waitersMax: 200 });
  for (let call = 0; call < 100; call += 1) enter('greedy', { tenant: 'greedy' });
  for (let call = 0; call < 10; call += 1) enter('modest', { tenant: 'modest' });
  for (let call = 0; call < 20; call += 1) room.freed(new Server(1));
  assert.equal(admitted.filter((name) => name === 'modest').length, 10);
});

test('whoever comes back at once does not get ahead of its turn', (t) => {
  const { room, enter, admitted } = playRoom(t);
  for (let call = 0; call < 10; call += 1) enter('greedy', { tenant: 'greedy' });
  for (let round = 0; round < 10; round += 1) {
    enter('quick', { tenant: 'quick' });
    room.freed(new Server(2));
  }
  assert.deepEqual(admitted, Array.from({ length: 10 }, () => ['greedy', 'quick']).flat());
});

test('thousands of tenants that come and go keep their order', (t) => {
  const { room, enter, admitted } = playRoom(t);
  const names = Array.from({ length: 5_000 }, (_, at) => `tenant ${at}`);
  for (const [at, name] of names.entries()) {
    enter(name, { tenant: name });
    if (at >= 50) room.freed(new Server(1));
  }
  room.freed(new Server(50));
  assert.deepEqual(admitted, names);
});
