/** Ten thousand random steps, and after each the room has done what a simple model of it does. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Waiting } from '../../../src/upstream/waiting-room.ts';
import { pick, type Random, seeded } from '../support/splits.ts';
import { type ModelGuest, ModelRoom } from './support/model-room.ts';
import { type Played, playRoom, Server } from './support/room.ts';

const STEPS = 10_000;
const WAITERS_MAX = 12;
const WAIT_MS_MAX = 400;

class Run {
  readonly #random: Random;
  readonly #played: Played;
  readonly #model = new ModelRoom(WAITERS_MAX);
  readonly #servers = [new Server(2, 'one'), new Server(3, 'other')] as const;
  readonly #waiting = new Map<string, Waiting>();
  readonly #admitted: string[] = [];
  readonly #shed: string[] = [];
  readonly ended = { admitted: 0, displaced: 0, expired: 0, left: 0, refused: 0 };
  #entered = 0;

  constructor(t: TestContext, seed: number) {
    this.#random = seeded(seed);
    this.#played = playRoom(t, { waitersMax: WAITERS_MAX, waitMsMax: WAIT_MS_MAX });
  }

  step(): void {
    const chance = this.#random();
    if (chance < 0.5) this.#call();
    else if (chance < 0.6) this.#leave();
    else if (chance < 0.85) this.#endCall();
    else this.#pass(Math.floor(this.#random() * 30));
    this.#compare();
  }

  /** As a gateway would: straight to a server that has a place, else into the room. */
  #call(): void {
    const free = this.#servers.find((server) => server.hasPlace());
    if (free) {
      free.taken += 1;
      return;
    }
    this.#entered += 1;
    const nowMs = this.#played.now();
    const timeMs = 1 + Math.floor(this.#random() * 600);
    const guest: ModelGuest = {
      name: `guest ${this.#entered}`,
      priority: pick(this.#random, [0, 0, 0, 1, 2]),
      tenant: pick(this.#random, ['a', 'a', 'a', 'b', 'c']),
      untilMs: nowMs + Math.min(timeMs, WAIT_MS_MAX),
      declines: this.#random() < 0.2,
    };
    const shed = this.#model.enter(guest);
    const entry = this.#played.enter(guest.name, {
      priority: guest.priority,
      tenant: guest.tenant,
      deadlineMs: nowMs + timeMs,
      ...(guest.declines && { admit: () => {} }),
    });
    assert.equal(entry.kind, shed === guest ? 'shed' : 'wait');
    if (entry.kind === 'wait') this.#waiting.set(guest.name, entry);
    else this.ended.refused += 1;
    if (shed && shed !== guest) this.#expectShed(shed, 'displaced');
  }

  #leave(): void {
    const guest = this.#model.waiting[Math.floor(this.#random() * this.#model.waiting.length)];
    if (!guest) return;
    this.#model.leave(guest);
    this.#waiting.get(guest.name)?.leave();
    this.#waiting.delete(guest.name);
    this.ended.left += 1;
  }

  #endCall(): void {
    const server = pick(this.#random, this.#servers);
    if (server.taken === 0) return;
    server.taken -= 1;
    for (let isFree = true; isFree && this.#model.waiting.length > 0; ) {
      const guest = this.#model.next() as ModelGuest;
      this.#admitted.push(guest.name);
      this.#waiting.delete(guest.name);
      this.ended.admitted += 1;
      isFree = guest.declines;
    }
    this.#played.room.freed(server);
  }

  #pass(ms: number): void {
    const untilMs = this.#played.now() + ms;
    const due = this.#model.waiting
      .filter((guest) => guest.untilMs <= untilMs)
      .sort((one, other) => one.untilMs - other.untilMs);
    for (const guest of due) {
      this.#model.leave(guest);
      this.#expectShed(guest, 'expired');
    }
    this.#played.advance(ms);
  }

  #expectShed(guest: ModelGuest, why: 'displaced' | 'expired'): void {
    this.#shed.push(`${guest.name} ${why}`);
    this.#waiting.delete(guest.name);
    this.ended[why] += 1;
  }

  #compare(): void {
    const { room, admitted, shed } = this.#played;
    assert.equal(room.size, this.#model.waiting.length);
    assert.deepEqual(admitted.splice(0), this.#admitted.splice(0));
    // Those of one millisecond may go in any order.
    const told = shed.splice(0).map(({ name, why }) => `${name} ${why}`);
    assert.deepEqual(told.sort(), this.#shed.splice(0).sort());
    const hasPlace = this.#servers.some((server) => server.hasPlace());
    assert.ok(!hasPlace || room.size === 0, 'a place is free and somebody waits');
    assert.ok(this.#servers.every(({ taken, placesMax }) => taken <= placesMax));
  }
}

for (const seed of [1, 20_261_121, 77]) {
  test(`seed ${seed}`, (t) => {
    const run = new Run(t, seed);
    for (let step = 0; step < STEPS; step += 1) run.step();
    t.diagnostic(JSON.stringify(run.ended));
    for (const [how, count] of Object.entries(run.ended)) assert.ok(count > 20, `${count} ${how}`);
  });
}
