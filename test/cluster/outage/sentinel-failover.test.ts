/** D4: the primary dies, and the Sentinels make another. */
import { test } from 'node:test';
import { startSentinels } from '../../support/redis-sentinel.ts';
import { survivesFailovers } from './support/failover.ts';
import { bounded, openGround } from './support/ground.ts';

const DOWN_AFTER_MS = 1_000;

test(
  'a failover of Sentinels is over in seconds, without a hand, and no known key sees it',
  bounded,
  async (t) => {
    const sentinels = await startSentinels({ downAfterMs: DOWN_AFTER_MS });
    const ground = await openGround(t, { replicas: 2, redisUrl: () => sentinels.url });
    t.after(() => sentinels.stop());
    await survivesFailovers(t, ground, {
      async killPrimary() {
        const port = await sentinels.killPrimary();
        return async () => {
          await sentinels.restart(port);
          await sentinels.untilWhole();
        };
      },
      booksUrl: async () => `redis://127.0.0.1:${await sentinels.primaryPort()}`,
    });
  },
);
