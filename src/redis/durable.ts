/**
 * Writes that a failover must not undo: a primary that dies takes with it what it had not yet passed on. They
 * have a connection of their own, because WAIT holds up all that stands behind it on the same one; it is opened
 * with the first of them.
 */
import { Command } from 'ioredis';
import { type StoreFailure, storeFailure } from './failure.ts';
import type { RedisClient } from './options.ts';
import { onlineReplicas } from './primary.ts';
import { within } from './within.ts';

export type Written<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: StoreFailure };

export interface DurableWriter {
  /**
   * Runs commands, and waits until a replica has what they wrote into the slot of `key`, where its primary has one
   * that follows. Takes at most twice the limit, usually two round trips more than the commands. What fails
   * for want of a confirmation may have run nevertheless.
   */
  write<T>(commands: (client: RedisClient) => Promise<T>, key: string): Promise<Written<T>>;
  /** The next write opens a new connection, to whoever is primary then. */
  renew(): void;
  close(): void;
}

/** Of the limit: Redis ends a WAIT up to 100 ms late, and its answer is wanted before the time-out. */
const CONFIRMATION_SHARE = 0.5;

const unconfirmed = { kind: 'unavailable', cause: 'no replica has confirmed the write in time' } as const;

/** @param limitMs for one command */
export function durableWriter(open: () => RedisClient, limitMs: number): DurableWriter {
  const waitMs = String(Math.ceil(limitMs * CONFIRMATION_SHARE));
  let client: RedisClient | undefined;

  /** Not at once: other writes may be under way on it. All that fail with it say so. */
  const retire = (one: RedisClient | undefined) => {
    if (!one || client !== one) return;
    client = undefined;
    setTimeout(() => one.disconnect(), 3 * limitMs).unref();
  };

  const confirmed = async <T>(
    current: RedisClient,
    commands: (client: RedisClient) => Promise<T>,
    key: string,
  ): Promise<Written<T>> => {
    await untilReady(current, limitMs);
    // One after the other: while ioredis opens a node of a Cluster for the first, it refuses the second.
    const report = await near(current, key, 'info', 'replication');
    const value = await commands(current);
    if (onlineReplicas(String(report)) === 0) return { ok: true, value };
    const count = await near(current, key, 'wait', '1', waitMs);
    return Number(count) >= 1 ? { ok: true, value } : { ok: false, failure: unconfirmed };
  };

  return {
    async write(commands, key) {
      client ??= opened(open());
      const current = client;
      try {
        return await within(2 * limitMs, confirmed(current, commands, key));
      } catch (error) {
        const failure = storeFailure(error);
        if (!failure) throw error;
        retire(current); // it may lie idle for days and be dead without having said so
        return { ok: false, failure };
      }
    },
    renew: () => retire(client),
    close: () => client?.disconnect(),
  };
}

function opened(client: RedisClient): RedisClient {
  // The connection for all other commands reports the state of the same servers.
  client.on('error', () => undefined);
  // Any number of writes may wait for it to be ready.
  return client.setMaxListeners(0);
}

async function untilReady(client: RedisClient, limitMs: number): Promise<void> {
  if (client.status === 'ready') return;
  if (client.status === 'wait' || client.status === 'end') client.connect().catch(() => undefined);
  const ready = Promise.withResolvers<void>();
  const timer = setTimeout(() => ready.reject(new Error('Connection is closed.')), limitMs);
  client.once('ready', ready.resolve);
  try {
    await ready.promise;
  } finally {
    clearTimeout(timer);
    client.off('ready', ready.resolve);
  }
}

/** Goes to the server that holds a key which is none of its arguments. */
class CommandNear extends Command {
  readonly #key: string;

  constructor(key: string, name: string, parameters: readonly string[]) {
    super(name, [...parameters], { replyEncoding: 'utf8' });
    this.#key = key;
  }

  override getKeys(): string[] {
    return [this.#key];
  }
}

function near(client: RedisClient, key: string, name: string, ...parameters: string[]): Promise<unknown> {
  const command = new CommandNear(key, name, parameters);
  client.sendCommand(command);
  return command.promise;
}
