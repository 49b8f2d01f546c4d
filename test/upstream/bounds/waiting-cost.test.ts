/** With ten thousand waiting, to enter, displace, leave, be served and be refused cost what they do with ten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Guest, WaitingRoom } from '../../../src/upstream/waiting-room.ts';
import { Server } from './support/room.ts';

const ROUNDS = 20_000;

test('a hundred thousand steps with ten thousand waiting', (t) => {
  const room = new WaitingRoom<Server>({
    waitersMax: 10_000,
    waitMsMax: 60_000,
    now: () => performance.now(),
  });
  const guest = (priority: number, tenant: string): Guest<Server> => ({
    priority,
    tenant,
    deadlineMs: Number.POSITIVE_INFINITY,
    admit: (server) => {
      server.taken += 1;
    },
    shed: () => {},
  });
  while (room.size < 10_000) room.enter(guest(1, `tenant ${room.size % 500}`));
  const beganAtMs = performance.now();
  for (let round = 0; round < ROUNDS; round += 1) {
    assert.equal(room.enter(guest(1, 'tenant 1')).kind, 'shed');
    const displacing = room.enter(guest(2, 'tenant 2'));
    if (displacing.kind === 'wait') displacing.leave();
    room.enter(guest(1, `tenant ${round % 500}`));
    room.freed(new Server(1));
    room.enter(guest(1, `tenant ${round % 500}`));
  }
  const tookMs = performance.now() - beganAtMs;
  t.diagnostic(`${((tookMs * 1_000) / (5 * ROUNDS)).toFixed(2)} µs a step`);
  assert.equal(room.size, 10_000);
  room.freed(new Server(10_000));
  assert.equal(room.size, 0);
  // Going through all who wait would take a hundred times as long.
  assert.ok(tookMs < 3_000, `${tookMs} ms`);
});
