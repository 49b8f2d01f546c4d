/** D4: of a Redis Cluster the primary dies on which the tenant lives. */
import { test } from 'node:test';
import { startRedisCluster } from '../../support/redis-cluster.ts';
import { keys } from '../support/books.ts';
import { survivesFailovers } from './support/failover.ts';
import { bounded, openGround, TENANT } from './support/ground.ts';

const NODE_TIMEOUT_MS = 2_000;

test(
  'a failover of a Cluster is over in seconds, without a hand, and no known key sees it',
  bounded,
  async (t) => {
    const cluster = await startRedisCluster(NODE_TIMEOUT_MS);
    const [port = 0] = cluster.ports;
    const slot = Number(await cluster.call(port, 'cluster', 'keyslot', keys.root(TENANT)));
    const ground = await openGround(t, { replicas: 2, redisUrl: () => cluster.url });
    t.after(() => cluster.stop());
    await survivesFailovers(t, ground, {
      async killPrimary() {
        const killed = await cluster.killPrimary(slot);
        return async () => {
          await cluster.restart(killed);
          await cluster.untilWhole();
        };
      },
      async booksUrl() {
        const shares = (await cluster.call(port, 'cluster', 'slots')) as [number, number, [string, number]][];
        const share = shares.find(([from, to]) => from <= slot && slot <= to);
        return `redis://127.0.0.1:${share?.[2][1]}`;
      },
    });
  },
);
