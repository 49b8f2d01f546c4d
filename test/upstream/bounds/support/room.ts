/** A waiting room with a clock that the test moves, and a record of what happened to each guest. */
import type { TestContext } from 'node:test';
import { type Bounded, type Entry, type Shed, WaitingRoom } from '../../../../src/upstream/waiting-room.ts';

export class Server implements Bounded {
  readonly name: string;
  readonly placesMax: number;
  taken = 0;

  constructor(placesMax: number, name = 'server') {
    this.placesMax = placesMax;
    this.name = name;
  }

  hasPlace(): boolean {
    return this.taken < this.placesMax;
  }
}

export interface GuestOptions {
  readonly priority?: number;
  readonly tenant?: string;
  readonly deadlineMs?: number;
  /** What it does with its place; by itself it takes it. */
  readonly admit?: (server: Server) => void;
}

export interface Played {
  readonly room: WaitingRoom<Server>;
  /** Names of those admitted, in order. */
  readonly admitted: string[];
  readonly shed: { name: string; why: Shed; retryAfterMs: number }[];
  now(): number;
  enter(name: string, options?: GuestOptions): Entry;
  advance(ms: number): void;
  /** The clock goes on, and no timer gets its turn. */
  stall(ms: number): void;
}

export function playRoom(t: TestContext, { waitersMax = 100, waitMsMax = 10_000 } = {}): Played {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  const now = () => nowMs;
  const room = new WaitingRoom<Server>({ waitersMax, waitMsMax, now });
  const admitted: string[] = [];
  const shed: Played['shed'] = [];
  const take = (server: Server) => {
    server.taken += 1;
  };
  return {
    room,
    admitted,
    shed,
    now,
    enter: (
      name,
      { priority = 0, tenant = 'acme', deadlineMs = Number.POSITIVE_INFINITY, admit = take } = {},
    ) =>
      room.enter({
        priority,
        tenant,
        deadlineMs,
        admit: (server) => {
          admitted.push(name);
          admit(server);
        },
        shed: (why, retryAfterMs) => shed.push({ name, why, retryAfterMs }),
      }),
    advance: (ms) => {
      for (let passed = 0; passed < ms; passed += 1) {
        nowMs += 1;
        t.mock.timers.tick(1);
      }
    },
    stall: (ms) => {
      nowMs += ms;
    },
  };
}
