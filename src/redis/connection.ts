/**
 * The way to Redis. Nothing here waits for a lost server: a question gets its answer within the command
 * time-out or fails, and fails at once while the server is known to be away.
 */
import { Redis } from 'ioredis';
import type { Config } from '../config/schema.ts';
import type { Logger } from '../telemetry/log.ts';
import { type StoreFailure, storeFailure } from './failure.ts';
import { type RedisHealth, watchHealth } from './health.ts';
import { type RedisKeys, redisKeys } from './keys.ts';
import { redisOptions } from './options.ts';
import { defineScripts } from './scripts.ts';
import { type Subscriber, type Subscription, subscribe } from './subscription.ts';

export type { RedisState } from './health.ts';

export type RedisClient = Redis;

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: StoreFailure };

export interface RedisConnection extends Pick<RedisHealth, 'state' | 'onState' | 'wasReached' | 'reached'> {
  readonly keys: RedisKeys;
  /**
   * Runs commands, none of them sent twice. One that timed out may still run later. The place where a breaker
   * stands: while the state is `degraded` it fails without touching the connection.
   * @throws what is a mistake of ours, such as a command on a key of another type
   */
  ask<T>(commands: (client: RedisClient) => Promise<T>): Promise<Answer<T>>;
  /** Listens to a channel on a connection of its own, for as long as the subscription is not closed. */
  subscribe(channel: string, subscriber: Subscriber): Subscription;
  close(): void;
}

/** Returns at once and connects in the background. Throws only if the address is not supported. */
export function connectRedis(config: Config['redis'], log: Logger): RedisConnection {
  const options = redisOptions(config);
  const client = new Redis(options);
  defineScripts(client);
  const health = watchHealth(client, log);
  client.connect().catch(() => undefined); // it goes on trying; `health` reports

  return {
    keys: redisKeys(config.prefix),
    state: health.state,
    onState: health.onState,
    wasReached: health.wasReached,
    reached: health.reached,
    async ask(commands) {
      if (health.state() === 'degraded') return { ok: false, failure: health.failure() };
      try {
        return { ok: true, value: await commands(client) };
      } catch (error) {
        const failure = storeFailure(error);
        if (!failure) throw error;
        health.suspect();
        return { ok: false, failure };
      }
    },
    subscribe: (channel, subscriber) => subscribe(new Redis(options), channel, subscriber),
    close() {
      health.stop();
      client.disconnect();
    },
  };
}
