/** When keys were last used, over all replicas: the newest time of each. */
import type { Answer, RedisConnection } from './connection.ts';

export interface KeyName {
  readonly tenant: string;
  readonly id: string;
}

export interface NotedUse extends KeyName {
  /** Wall clock of the replica. */
  readonly atMs: number;
}

export interface KeyUseTable {
  /** One command for each tenant; a time that is older than the one in Redis changes nothing. */
  note(uses: readonly NotedUse[]): Promise<Answer<unknown>>;
  /** In the same order; undefined: not used, as far as is known. */
  lastOf(names: readonly KeyName[]): Promise<Answer<readonly (number | undefined)[]>>;
}

export function keyUseTable({ ask, keys }: RedisConnection): KeyUseTable {
  return {
    note: (uses) =>
      ask((client) => {
        const byTenant = Map.groupBy(uses, ({ tenant }) => tenant);
        return Promise.all(
          [...byTenant].map(([tenant, group]) => {
            const scores = group.flatMap(({ atMs, id }) => [atMs, id]);
            return client.zadd(keys.keyUses(tenant), 'GT', ...scores);
          }),
        );
      }),

    lastOf: (names) =>
      ask(async (client) => {
        const byTenant = Map.groupBy(names, ({ tenant }) => tenant);
        const found = new Map<string, number>();
        await Promise.all(
          [...byTenant].map(async ([tenant, group]) => {
            const ids = group.map(({ id }) => id);
            const scores = await client.zmscore(keys.keyUses(tenant), ...ids);
            for (const [index, score] of scores.entries()) {
              if (score !== null) found.set(ids[index] as string, Number(score));
            }
          }),
        );
        return names.map(({ id }) => found.get(id));
      }),
  };
}
