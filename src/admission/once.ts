/**
 * Requests with an `Idempotency-Key` that this replica runs. Each is held by a lease in Redis from before the call until
 * its end is written there. If the replica dies, the lease runs out and the next try runs anew; if Redis is away at the
 * end, the end is written with one of the next heartbeats.
 */
import { randomUUID } from 'node:crypto';
import type { KeptAnswer } from '../redis/answer-table.ts';
import type { Answer } from '../redis/connection.ts';
import type { Begun, OnceEntry, OnceTable } from '../redis/once-table.ts';

/** What has become of a request with an `Idempotency-Key`: a label of metrics. */
export type OnceResult = Begun['kind'] | 'unavailable';

export type OnceBegun =
  | Exclude<Begun, { kind: 'begun' }>
  | { readonly kind: 'begun'; readonly held: OnceHold };

interface OnceParts {
  readonly table: OnceTable;
  /** From one heartbeat to the next; well below the lease. */
  readonly everyMs: number;
  /** Of an answer that is kept. */
  readonly answerBytesMax: number;
  readonly onResult: (result: OnceResult) => void;
}

/** Answers whose end Redis has not taken yet are held in memory, at most so many; of further ones only the end. */
const UNWRITTEN_ANSWERS_MAX = 64;
/** Heartbeats after which an end is given up. By then the lease is long over. */
const TRIES_MAX = 10;

export class OnceRequests {
  readonly #parts: OnceParts;
  /** Only requests that ask for it come and go here. */
  readonly #held = new Set<OnceHold>();
  #timer: NodeJS.Timeout | undefined;
  #isBeating = false;

  constructor(parts: OnceParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#beat(), this.#parts.everyMs).unref();
  }

  /** What still runs is freed, so that the next try runs anew at once. Takes as long as one question to Redis. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#held].map((hold) => hold.free()));
  }

  /**
   * @param id digest of the Idempotency-Key
   * @param request digest of what is asked for
   */
  async begin(tenant: string, id: string, request: string): Promise<Answer<OnceBegun>> {
    const entry = { tenant, id, request, holder: randomUUID() };
    const answer = await this.#parts.table.begin(entry);
    this.#parts.onResult(answer.ok ? answer.value.kind : 'unavailable');
    if (!answer.ok) return answer;
    if (answer.value.kind !== 'begun') return { ok: true, value: answer.value };
    return { ok: true, value: { kind: 'begun', held: this.#hold(entry) } };
  }

  #hold(entry: OnceEntry): OnceHold {
    const hold = new OnceHold(entry, this.#parts, {
      mayKeep: () => this.#unwritten() < UNWRITTEN_ANSWERS_MAX,
      over: () => this.#held.delete(hold),
    });
    this.#held.add(hold);
    return hold;
  }

  #unwritten(): number {
    let count = 0;
    for (const hold of this.#held) if (hold.isUnwritten) count += 1;
    return count;
  }

  async #beat(): Promise<void> {
    if (this.#isBeating) return;
    this.#isBeating = true;
    for (const hold of [...this.#held]) await hold.beat();
    this.#isBeating = false;
  }
}

type End = { readonly kind: 'free' } | { readonly kind: 'finish'; readonly answer: KeptAnswer | undefined };

interface Surroundings {
  mayKeep(): boolean;
  over(): void;
}

/** One request, from its beginning until Redis knows of its end. The first end that it is told counts. */
export class OnceHold {
  readonly #entry: OnceEntry;
  readonly #parts: OnceParts;
  readonly #surroundings: Surroundings;
  #end: End | undefined;
  #tries = 0;
  #isOver = false;

  constructor(entry: OnceEntry, parts: OnceParts, surroundings: Surroundings) {
    this.#entry = entry;
    this.#parts = parts;
    this.#surroundings = surroundings;
  }

  get isUnwritten(): boolean {
    return this.#end?.kind === 'finish' && this.#end.answer !== undefined;
  }

  /** It has run. @param answer undefined: too long to be kept */
  finish(answer: KeptAnswer | undefined): Promise<void> {
    const fits = answer && answer.body.length <= this.#parts.answerBytesMax && this.#surroundings.mayKeep();
    return this.#endAs({ kind: 'finish', answer: fits ? answer : undefined });
  }

  /** It has not run, or has failed: the next try may run. */
  free(): Promise<void> {
    return this.#endAs({ kind: 'free' });
  }

  /** Time for a sign of life. */
  async beat(): Promise<void> {
    if (this.#isOver) return;
    if (this.#end) return this.#write(this.#end);
    const answer = await this.#parts.table.renew(this.#entry);
    if (answer.ok && !answer.value && !this.#end) this.#over();
  }

  async #endAs(end: End): Promise<void> {
    if (this.#end || this.#isOver) return;
    this.#end = end;
    await this.#write(end);
  }

  async #write(end: End): Promise<void> {
    const { table } = this.#parts;
    this.#tries += 1;
    const answer = await (end.kind === 'free'
      ? table.free(this.#entry)
      : table.finish(this.#entry, end.answer));
    if (answer.ok || this.#tries >= TRIES_MAX) this.#over();
  }

  #over(): void {
    this.#isOver = true;
    this.#surroundings.over();
  }
}
