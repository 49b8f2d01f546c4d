/** Whoever is sent away is told when the room will have drained, by the speed at which it has drained so far. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Played, playRoom, Server } from './support/room.ts';

function refusedFor({ enter }: Played): number {
  const entry = enter('refused');
  assert.equal(entry.kind, 'shed');
  return entry.kind === 'shed' ? entry.retryAfterMs : Number.NaN;
}

/** All chairs stay taken; one place comes free in each interval. */
function serve(played: Played, waiters: number, everyMs: number, times: number): void {
  while (played.room.size < waiters) played.enter('waits');
  for (let time = 0; time < times; time += 1) {
    played.advance(everyMs);
    played.room.freed(new Server(1));
    played.enter('waits');
  }
}

test('a full room that drains ten a second is waited for as long as it takes', (t) => {
  const played = playRoom(t, { waitersMax: 50, waitMsMax: 1_000_000 });
  serve(played, 50, 100, 300);
  const retryAfterMs = refusedFor(played);
  assert.ok(retryAfterMs > 4_500 && retryAfterMs < 5_500, `${retryAfterMs} ms`);
});

test('it follows when the pool slows down', (t) => {
  const played = playRoom(t, { waitersMax: 20, waitMsMax: 1_000_000 });
  serve(played, 20, 50, 400);
  const before = refusedFor(played);
  serve(played, 20, 1_000, 60);
  const after = refusedFor(played);
  assert.ok(before < 1_200, `${before} ms at twenty a second`);
  assert.ok(after > 15_000 && after < 25_000, `${after} ms at one a second`);
});

test('it stays between one second and sixty', (t) => {
  const played = playRoom(t, { waitersMax: 100, waitMsMax: 1_000_000 });
  while (played.room.size < 100) played.enter('waits');
  assert.equal(refusedFor(played), 1_000);
  played.advance(20_000);
  assert.equal(refusedFor(played), 60_000);
});

test('a quiet hour does not count as a slow one', (t) => {
  const played = playRoom(t, { waitersMax: 20, waitMsMax: 10_000_000 });
  serve(played, 20, 50, 400);
  const before = refusedFor(played);
  played.room.freed(new Server(20));
  played.stall(3_600_000);
  while (played.room.size < 20) played.enter('waits');
  assert.ok(refusedFor(played) <= before + 1, `${before} ms before`);
});
