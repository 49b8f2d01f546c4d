/** Which GPU servers operators have taken out, as it lies in Redis. */
import type { Answer, RedisConnection } from './connection.ts';

export interface DrainTable {
  /** Names of the upstreams. */
  read(): Promise<Answer<ReadonlySet<string>>>;
  /** Durable, and told to all replicas. */
  write(upstream: string, isDrained: boolean, nowMs: number): Promise<Answer<unknown>>;
}

export function drainTable({ ask, durable, keys }: RedisConnection): DrainTable {
  return {
    read: () => ask(async (client) => new Set(await client.hkeys(keys.drains())), 'cluster'),

    write: (upstream, isDrained, nowMs) =>
      durable(async (client) => {
        if (isDrained) await client.hset(keys.drains(), upstream, nowMs);
        else await client.hdel(keys.drains(), upstream);
        await client.publish(keys.drainChanges(), upstream);
      }, keys.drains()),
  };
}
