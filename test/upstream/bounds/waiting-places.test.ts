/** No place stays free while somebody waits for it, whatever guests do with theirs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playRoom, Server } from './support/room.ts';

test('a place that a guest has no use for goes to the next one', (t) => {
  const { room, enter, admitted } = playRoom(t);
  enter('declines', { admit: () => {} });
  enter('takes');
  enter('waits on');
  room.freed(new Server(1));
  assert.deepEqual(admitted, ['declines', 'takes']);
  assert.equal(room.size, 1);
});

test('a server that comes with many places fills them all', (t) => {
  const { room, enter, admitted } = playRoom(t);
  for (const name of ['a', 'b', 'c', 'd']) enter(name);
  room.freed(new Server(3));
  assert.deepEqual(admitted, ['a', 'b', 'c']);
});

test('a full server admits nobody', (t) => {
  const { room, enter, admitted } = playRoom(t);
  enter('waits');
  room.freed(new Server(0));
  assert.deepEqual(admitted, []);
});

test('ten thousand calls that end before they have begun are gone through without deep recursion', (t) => {
  const { room, enter, admitted } = playRoom(t, { waitersMax: 20_000 });
  const server = new Server(1);
  const endAtOnce = () => {
    server.taken += 1;
    server.taken -= 1;
    room.freed(server);
  };
  for (let call = 0; call < 10_000; call += 1) enter('ends at once', { admit: endAtOnce });
  enter('stays');
  room.freed(server);
  assert.equal(admitted.length, 10_001);
  assert.equal(server.taken, 1);
});

test('a place that comes free on another server meanwhile is filled too', (t) => {
  const { room, enter, admitted } = playRoom(t);
  const one = new Server(1, 'one');
  const other = new Server(1, 'other');
  enter('moves', {
    admit: () => {
      one.taken += 1;
      room.freed(other);
    },
  });
  enter('follows');
  room.freed(one);
  assert.deepEqual(admitted, ['moves', 'follows']);
  assert.equal(other.taken, 1);
});

test('guests that come back whenever they are called do not hold up the caller', (t) => {
  const { room, enter, admitted } = playRoom(t);
  const comeBack = () => {
    // Else a mistake would make this test endless instead of red.
    if (admitted.length < 100) enter('again', { admit: comeBack });
  };
  enter('again', { admit: comeBack });
  enter('again', { admit: comeBack });
  room.freed(new Server(1));
  assert.equal(admitted.length, 2);
  assert.equal(room.size, 2);
});

test('after a guest that throws the room goes on', (t) => {
  const { room, enter, admitted } = playRoom(t);
  enter('throws', {
    admit: () => {
      throw new Error('a mistake');
    },
  });
  enter('next');
  const server = new Server(1);
  assert.throws(() => room.freed(server), /a mistake/);
  room.freed(server);
  assert.deepEqual(admitted, ['throws', 'next']);
});
