/** When all chairs are taken, priority decides who is sent away, and that happens at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playRoom, Server } from './support/room.ts';

const names = (shed: readonly { name: string }[]) => shed.map(({ name }) => name);

test('a newcomer is sent away at once if nobody is below it', (t) => {
  const { room, enter, shed } = playRoom(t, { waitersMax: 2 });
  enter('first');
  enter('second', { priority: 1 });
  assert.equal(enter('same').kind, 'shed');
  assert.equal(enter('below', { priority: -1 }).kind, 'shed');
  assert.deepEqual(shed, []);
  assert.equal(room.size, 2);
});

test('of the lowest priority the one who came last gives way', (t) => {
  const { room, enter, shed, admitted } = playRoom(t, { waitersMax: 4 });
  enter('low of a', { priority: 0, tenant: 'a' });
  enter('middle', { priority: 1 });
  enter('low of b', { priority: 0, tenant: 'b' });
  enter('middle too', { priority: 1 });
  assert.equal(enter('high', { priority: 2 }).kind, 'wait');
  assert.equal(enter('higher', { priority: 3 }).kind, 'wait');
  assert.deepEqual(names(shed), ['low of b', 'low of a']);
  assert.ok(shed.every(({ why }) => why === 'displaced'));
  assert.equal(enter('highest', { priority: 4 }).kind, 'wait');
  assert.deepEqual(names(shed).slice(2), ['middle too']);
  room.freed(new Server(9));
  assert.deepEqual(admitted, ['highest', 'higher', 'high', 'middle']);
});

test('whoever was displaced may leave, and that takes nobody else away', (t) => {
  const { room, enter, admitted } = playRoom(t, { waitersMax: 1 });
  const entry = enter('low');
  enter('high', { priority: 1 });
  if (entry.kind === 'wait') entry.leave();
  assert.equal(room.size, 1);
  room.freed(new Server(1));
  assert.deepEqual(admitted, ['high']);
});

test('a room without chairs sends everyone away', (t) => {
  const { enter } = playRoom(t, { waitersMax: 0 });
  assert.equal(enter('anyone', { priority: 9 }).kind, 'shed');
});
