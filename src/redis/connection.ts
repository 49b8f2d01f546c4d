/**
 * The way to Redis. Nothing here waits for a lost server: a question gets its answer within the command
 * time-out or fails, and fails at once while the server is known to be away.
 */
import { Cluster } from 'ioredis';
import type { Config } from '../config/schema.ts';
import type { Logger } from '../telemetry/log.ts';
import { durableWriter } from './durable.ts';
import { type StoreFailure, storeFailure } from './failure.ts';
import { type RedisHealth, watchHealth } from './health.ts';
import { type RedisKeys, redisKeys } from './keys.ts';
import { type RedisClient, redisAccess } from './options.ts';
import { defineScripts } from './scripts.ts';
import { type RenewableSubscription, type Subscriber, type Subscription, subscribe } from './subscription.ts';
import { watchSwitches } from './switch.ts';
import { within } from './within.ts';

export type { RedisState } from './health.ts';
export type { RedisClient } from './options.ts';

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: StoreFailure };

/** What a question is about: a label of metrics. */
export type CommandKind =
  | 'admit'
  | 'settle'
  | 'renew'
  | 'sweep'
  | 'records'
  | 'usage'
  | 'cluster'
  | 'answers'
  | 'jobs'
  | 'payload';

export type CommandObserver = (kind: CommandKind, seconds: number, outcome: 'ok' | 'unavailable') => void;

type HealthOfConnection = Pick<RedisHealth, 'state' | 'onState' | 'onReturn' | 'wasReached' | 'reached'>;

export interface RedisConnection extends HealthOfConnection {
  readonly keys: RedisKeys;
  /** Questions that have no answer yet, and are not given up. */
  pending(): number;
  /**
   * Runs commands, none of them sent twice. One that timed out may still run later. The place where a breaker
   * stands: while the state is `degraded` it fails without touching the connection. All commands of a question
   * together take at most the command time-out; only those of `usage` have it each, because a report may need
   * many.
   * @throws what is a mistake of ours, such as a command on a key of another type
   */
  ask<T>(commands: (client: RedisClient) => Promise<T>, kind?: CommandKind): Promise<Answer<T>>;
  /**
   * As `ask`, for writes that a failover must not undo: fails unless a replica has confirmed what lies in the slot
   * of `key`, where its primary has one that follows. It may have run nevertheless. Takes at most twice the
   * command time-out.
   */
  durable<T>(commands: (client: RedisClient) => Promise<T>, key: string): Promise<Answer<T>>;
  /** Listens to a channel on a connection of its own, for as long as the subscription is not closed. */
  subscribe(channel: string, subscriber: Subscriber): Subscription;
  close(): void;
}

export interface ConnectionObservers {
  /** Told of each question that was put to Redis; those that the breaker kept back are not counted. */
  readonly onCommand?: CommandObserver;
}

/**
 * Returns at once and connects in the background.
 * @throws when the address is none, or the file of the TLS authority cannot be read
 */
export function connectRedis(
  config: Config['redis'],
  log: Logger,
  { onCommand }: ConnectionObservers = {},
): RedisConnection {
  const access = redisAccess(config);
  const timeoutMs = config.command_timeout_ms;
  const openWithScripts = () => {
    const opened = access.open();
    defineScripts(opened);
    return opened;
  };
  const client = openWithScripts();
  const health = watchHealth(client, log);
  const durable = durableWriter(openWithScripts, timeoutMs);
  const subscriptions = new Set<RenewableSubscription>();
  const switches = watchSwitches(access, () => {
    if (client.status === 'ready' && !(client instanceof Cluster)) client.disconnect(true);
  });
  // The others may still be with the server that was primary before, and that alone notices nothing.
  health.onReturn(() => {
    durable.renew();
    for (const subscription of subscriptions) subscription.renew();
  });
  client.connect().catch(() => undefined); // it goes on trying; `health` reports
  let pending = 0;

  return {
    keys: redisKeys(config.prefix),
    pending: () => pending,
    state: health.state,
    onState: health.onState,
    onReturn: health.onReturn,
    wasReached: health.wasReached,
    reached: health.reached,
    async ask(commands, kind = 'records') {
      if (health.state() === 'degraded') return { ok: false, failure: health.failure() };
      const begunMs = performance.now();
      pending += 1;
      try {
        const work = commands(client);
        const value = await (kind === 'usage' ? work : within(timeoutMs, work));
        onCommand?.(kind, (performance.now() - begunMs) / 1_000, 'ok');
        return { ok: true, value };
      } catch (error) {
        const failure = storeFailure(error);
        if (!failure) throw error;
        onCommand?.(kind, (performance.now() - begunMs) / 1_000, 'unavailable');
        health.suspect();
        return { ok: false, failure };
      } finally {
        pending -= 1;
      }
    },
    async durable(commands, key) {
      if (health.state() === 'degraded') return { ok: false, failure: health.failure() };
      const begunMs = performance.now();
      pending += 1;
      const answer = await durable.write(commands, key).finally(() => {
        pending -= 1;
      });
      onCommand?.('records', (performance.now() - begunMs) / 1_000, answer.ok ? 'ok' : 'unavailable');
      if (!answer.ok) health.suspect();
      return answer;
    },
    subscribe(channel, subscriber) {
      const subscription = subscribe(() => access.openListener(client), channel, subscriber);
      subscriptions.add(subscription);
      return {
        close() {
          subscriptions.delete(subscription);
          subscription.close();
        },
      };
    },
    close() {
      health.stop();
      switches.close();
      durable.close();
      client.disconnect();
    },
  };
}
