/**
 * What happens to jobs, for all in this process who want to know: one subscription for their status and one for the
 * pieces of their streams, each opened when somebody asks for it and closed when nobody has for a while.
 *
 * A message may be lost, with a connection or in a failover. So everybody is reminded to look for himself: when a
 * subscription stands anew, and every `REMIND_EVERY_MS` in any case; only so many at a time, because each look is a
 * question to Redis.
 */
import type { JobStatus } from '../core/job.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { readJobEvent } from '../redis/job-records.ts';
import type { Subscription } from '../redis/subscription.ts';

/** Without status and pieces it is a reminder. */
export interface JobNews {
  readonly status: JobStatus | undefined;
  /** 0 in a reminder. */
  readonly attempt: number;
  /** So many pieces of the stream of that attempt can be read. */
  readonly pieces: number | undefined;
}

export type HearJobNews = (news: JobNews) => void;

interface Follower {
  readonly id: string;
  readonly heard: HearJobNews;
  readonly wantsPieces: boolean;
  remindAtMs: number;
  /** Where it stands among all; -1: it has left. */
  slot: number;
}

const REMINDER: JobNews = { status: undefined, attempt: 0, pieces: undefined };
const REMIND_EVERY_MS = 15_000;
const LOOK_EVERY_MS = 100;
/** 1,000 a second. */
const REMINDED_AT_ONCE_MAX = 100;
/** A subscription that nobody has needed for so long is given up. */
const LINGER_MS = 60_000;

export class JobWatch {
  readonly #redis: Pick<RedisConnection, 'keys' | 'subscribe'>;
  readonly #now: () => number;
  readonly #byJob = new Map<string, Follower[]>();
  readonly #all: Follower[] = [];
  readonly #events: Channel;
  readonly #pieces: Channel;
  /** Where the next round of reminders begins. */
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param now monotonic, ms */
  constructor(redis: Pick<RedisConnection, 'keys' | 'subscribe'>, now: () => number) {
    this.#redis = redis;
    this.#now = now;
    this.#events = this.#channel(redis.keys.jobEvents(), (message) => this.#onEvent(message));
    this.#pieces = this.#channel(redis.keys.pieceNews(), (message) => this.#onPieces(message));
  }

  /**
   * From now on until the returned function is called. Whoever has read before this does not know what happened in
   * between: follow first, then read. `heard` is never called before this has returned.
   */
  follow(id: string, heard: HearJobNews, { pieces = false } = {}): () => void {
    const remindAtMs = this.#now() + REMIND_EVERY_MS;
    const follower = { id, heard, wantsPieces: pieces, remindAtMs, slot: this.#all.length };
    this.#all.push(follower);
    const others = this.#byJob.get(id);
    if (others) others.push(follower);
    else this.#byJob.set(id, [follower]);
    this.#events.need(1);
    if (pieces) this.#pieces.need(1);
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    return () => this.#leave(follower);
  }

  /** Reminds everybody within a few seconds, such as before this process leaves. */
  nudge(): void {
    for (const follower of this.#all) follower.remindAtMs = 0;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#events.close();
    this.#pieces.close();
  }

  #channel(name: string, received: (message: string) => void): Channel {
    return new Channel(this.#now, () =>
      this.#redis.subscribe(name, { subscribed: () => this.nudge(), received }),
    );
  }

  #leave(follower: Follower): void {
    if (follower.slot < 0) return;
    const last = this.#all.pop() as Follower;
    if (last !== follower) {
      this.#all[follower.slot] = last;
      last.slot = follower.slot;
    }
    follower.slot = -1;
    const left = this.#byJob.get(follower.id)?.filter((one) => one !== follower) ?? [];
    if (left.length > 0) this.#byJob.set(follower.id, left);
    else this.#byJob.delete(follower.id);
    this.#events.need(-1);
    if (follower.wantsPieces) this.#pieces.need(-1);
  }

  #onEvent(message: string): void {
    const event = readJobEvent(message);
    if (!event) return;
    const news = { status: event.status, attempt: event.attempt, pieces: undefined };
    for (const { heard } of this.#byJob.get(event.id)?.slice() ?? []) heard(news);
  }

  #onPieces(message: string): void {
    const followers = this.#byJob.get(message.slice(0, message.indexOf(' ')));
    if (!followers) return;
    const [, attempt, pieces] = message.split(' ');
    const news = { status: undefined, attempt: Number(attempt), pieces: Number(pieces) };
    for (const { heard, wantsPieces } of followers.slice()) if (wantsPieces) heard(news);
  }

  #look(): void {
    const nowMs = this.#now();
    const due: Follower[] = [];
    const { length } = this.#all;
    let seen = 0;
    for (; seen < length && due.length < REMINDED_AT_ONCE_MAX; seen += 1) {
      const follower = this.#all[(this.#turn + seen) % length] as Follower;
      if (follower.remindAtMs <= nowMs) due.push(follower);
    }
    this.#turn = length > 0 ? (this.#turn + seen) % length : 0;
    for (const follower of due) {
      follower.remindAtMs = nowMs + REMIND_EVERY_MS;
      if (follower.slot >= 0) follower.heard(REMINDER);
    }
    const isIdle = [this.#events.giveUpIfIdle(nowMs), this.#pieces.giveUpIfIdle(nowMs)].every(Boolean);
    if (!isIdle) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** One subscription, for as long as somebody needs it. */
class Channel {
  readonly #now: () => number;
  readonly #open: () => Subscription;
  #subscription: Subscription | undefined;
  #needed = 0;
  #idleSinceMs = 0;

  constructor(now: () => number, open: () => Subscription) {
    this.#now = now;
    this.#open = open;
  }

  need(by: 1 | -1): void {
    this.#needed += by;
    if (this.#needed === 0) this.#idleSinceMs = this.#now();
    else this.#subscription ??= this.#open();
  }

  /** True: it is closed. */
  giveUpIfIdle(nowMs: number): boolean {
    if (this.#needed === 0 && nowMs - this.#idleSinceMs >= LINGER_MS) this.close();
    return this.#subscription === undefined;
  }

  close(): void {
    this.#subscription?.close();
    this.#subscription = undefined;
  }
}
