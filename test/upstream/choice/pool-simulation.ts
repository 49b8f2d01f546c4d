/**
 * A pool of GPU servers on a simulated clock: callers arrive at random and choose among system texts of very unequal
 * popularity; each holds a conversation of several turns. Servers work on some calls at a time, let others wait, and
 * remember the prompts that they saw last. Nothing here knows how the servers are chosen.
 */
import type { Candidate } from '../../../src/upstream/choice/power-of-two.ts';
import type { Random } from '../support/splits.ts';

export interface Turn {
  /** Of the system text, from 0: the most popular. */
  readonly system: number;
  readonly conversation: number;
  readonly number: number;
}

export type Choose = (servers: readonly SimulatedServer[], turn: Turn) => SimulatedServer | undefined;

export interface Outcome {
  /** Part of all prompt tokens that lay in a cache. */
  readonly hitRate: number;
  /** Milliseconds from arrival to the first token, in order. */
  readonly firstTokenMs: Float64Array;
  readonly maxLoad: number;
}

export interface Scene {
  readonly servers: number;
  readonly turns: number;
  readonly arrivalsPerSecond: number;
  readonly systems: number;
  /** Prompts that a server remembers. */
  readonly cacheEntries: number;
}

const SYSTEM_TOKENS = 1_500;
const TURN_TOKENS = 300;
const PREFILL_TOKENS_PER_MS = 5;
const DECODE_MEAN_MS = 1_000;
const THINKING_MEAN_MS = 8_000;
const GOES_ON = 0.75;
const SLOTS = 8;

interface Waiting {
  readonly turn: Turn;
  readonly arrivedAtMs: number;
}

export class SimulatedServer implements Candidate {
  readonly key: string;
  readonly weight = 1;
  running = 0;
  readonly queue: Waiting[] = [];
  /** Prefixes, the one used longest ago first. */
  readonly #cache = new Set<string>();
  readonly #cacheEntries: number;

  constructor(key: string, cacheEntries: number) {
    this.key = key;
    this.#cacheEntries = cacheEntries;
  }

  load(): number {
    return this.running + this.queue.length;
  }

  /** Tokens of the prompt that need not be computed; from now on all of them are known. */
  recall({ system, conversation, number }: Turn): number {
    const knowsSystem = this.#touch(`system ${system}`);
    const known = this.#touch(`conversation ${conversation}`);
    if (known) return SYSTEM_TOKENS + number * TURN_TOKENS;
    return knowsSystem ? SYSTEM_TOKENS : 0;
  }

  #touch(prefix: string): boolean {
    const known = this.#cache.delete(prefix);
    this.#cache.add(prefix);
    const [oldest] = this.#cache;
    if (this.#cache.size > this.#cacheEntries && oldest !== undefined) this.#cache.delete(oldest);
    return known;
  }
}

interface Event {
  readonly atMs: number;
  readonly act: () => void;
}

/** Runs until the turns have all ended. */
export function simulate(scene: Scene, random: Random, choose: Choose): Outcome {
  const servers = Array.from(
    { length: scene.servers },
    (_, index) => new SimulatedServer(`gpu-${index}`, scene.cacheEntries),
  );
  const popularity = zipf(scene.systems);
  const events: Event[] = [];
  const firstTokenMs: number[] = [];
  let nowMs = 0;
  let tokens = 0;
  let hits = 0;
  let maxLoad = 0;
  let conversations = 0;
  const after = (delayMs: number, act: () => void) => push(events, { atMs: nowMs + delayMs, act });

  const begin = (server: SimulatedServer, { turn, arrivedAtMs }: Waiting) => {
    server.running += 1;
    const known = server.recall(turn);
    const prompt = SYSTEM_TOKENS + (turn.number + 1) * TURN_TOKENS;
    tokens += prompt;
    hits += known;
    const prefillMs = (prompt - known) / PREFILL_TOKENS_PER_MS;
    firstTokenMs.push(nowMs - arrivedAtMs + prefillMs);
    after(prefillMs + exponential(random, DECODE_MEAN_MS), () => end(server, turn));
  };
  const end = (server: SimulatedServer, turn: Turn) => {
    server.running -= 1;
    const next = server.queue.shift();
    if (next) begin(server, next);
    if (random() > GOES_ON) return;
    after(exponential(random, THINKING_MEAN_MS), () => arrive({ ...turn, number: turn.number + 1 }));
  };
  const arrive = (turn: Turn) => {
    const server = choose(servers, turn);
    if (!server) throw new Error('no server was chosen');
    const waiting = { turn, arrivedAtMs: nowMs };
    if (server.running < SLOTS) begin(server, waiting);
    else server.queue.push(waiting);
    maxLoad = Math.max(maxLoad, server.load());
  };
  const meet = () => {
    arrive({ system: popularity(random()), conversation: conversations++, number: 0 });
    // Each caller brings 1 ÷ (1 − GOES_ON) turns.
    const pauseMs = exponential(random, 1_000 / (scene.arrivalsPerSecond * (1 - GOES_ON)));
    if (firstTokenMs.length < scene.turns) after(pauseMs, meet);
  };

  meet();
  for (let event = pop(events); event; event = pop(events)) {
    nowMs = event.atMs;
    event.act();
  }
  return { hitRate: hits / tokens, firstTokenMs: Float64Array.from(firstTokenMs).sort(), maxLoad };
}

export function percentile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

function exponential(random: Random, mean: number): number {
  return -mean * Math.log(1 - random());
}

/** The n-th most popular of `count` is chosen in proportion to 1 ÷ n. */
function zipf(count: number): (uniform: number) => number {
  const sums: number[] = [];
  let total = 0;
  for (let rank = 1; rank <= count; rank++) {
    total += 1 / rank;
    sums.push(total);
  }
  return (uniform) => sums.findIndex((sum) => sum > uniform * total);
}

/** A binary heap, the next event first. */
function push(heap: Event[], event: Event): void {
  let at = heap.push(event) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above];
    if (!parent || parent.atMs <= event.atMs) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (!last || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    const right = heap[below + 1];
    if (right && right.atMs < (heap[below]?.atMs ?? 0)) below += 1;
    const child = heap[below];
    if (!child || child.atMs >= last.atMs) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
  return first;
}
