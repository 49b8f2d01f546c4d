/** The ways to the server on which jobs and payloads live, apart by what would delay what. */
import type { Config } from '../config/schema.ts';
import type { Logger } from '../telemetry/log.ts';
import { type ConnectionObservers, connectRedis, type RedisConnection } from './connection.ts';
import { type RedisClient, redisAccess } from './options.ts';

export interface WorkerClient {
  /** Its commands wait for Redis without end. */
  readonly client: RedisClient;
  /** Ends it and all its duplicates: BullMQ blocks on one, and leaves it trying when it cannot close in peace. */
  close(): void;
}

export interface QueueConnection {
  /** Short commands: records, order, adding to BullMQ. */
  readonly commands: RedisConnection;
  /** Bodies, so that 20 MB of one job never stand before a short command. Its state is not logged again. */
  readonly payloads: RedisConnection;
  /** For one BullMQ worker; connects at once. Whoever opens it closes it. */
  openWorkerClient(): WorkerClient;
  close(): void;
}

/** What the connections of `redis` are told, for the server of the queue. */
export function queueRedis({ redis, queue }: Pick<Config, 'redis' | 'queue'>): Config['redis'] {
  return { ...redis, url: queue.redis_url ?? redis.url };
}

/**
 * Returns at once and connects in the background.
 * @throws when the address is none, or the file of the TLS authority cannot be read
 */
export function connectQueue(
  config: Pick<Config, 'redis' | 'queue'>,
  log: Logger,
  observers: ConnectionObservers = {},
): QueueConnection {
  const redis = queueRedis(config);
  const access = redisAccess(redis);
  const commands = connectRedis(redis, log.child({ redis: 'queue' }), observers);
  const payloads = connectRedis(redis, log.child({}, { level: 'silent' }), observers);
  return {
    commands,
    payloads,
    openWorkerClient: () => withDuplicates(access.openWaiting()),
    close() {
      commands.close();
      payloads.close();
    },
  };
}

function withDuplicates(client: RedisClient): WorkerClient {
  const all: RedisClient[] = [client];
  const duplicate: (...options: never[]) => RedisClient = client.duplicate.bind(client);
  const recorded = (...options: never[]) => {
    const copy = duplicate(...options);
    all.push(copy);
    copy.on('error', () => undefined);
    return copy;
  };
  // The connection for commands reports the state of the same server.
  client.on('error', () => undefined);
  return {
    client: Object.assign(client, { duplicate: recorded }),
    close() {
      for (const each of all) {
        // What BullMQ still tries to open again stays closed.
        Object.assign(each, { connect: () => Promise.reject(new Error('Connection is closed.')) });
        each.disconnect();
      }
    },
  };
}
