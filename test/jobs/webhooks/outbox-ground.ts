/** The outbox beside the jobs that fill it, on a Redis whose time is the test's. */
import type { TestContext } from 'node:test';
import type { RedisClient } from '../../../src/redis/connection.ts';
import type { NewJob } from '../../../src/redis/job-table.ts';
import { webhookTable } from '../../../src/redis/webhook-table.ts';
import { asEstimated, BEGIN_MS, completed, got, keys, LINE, openGround } from '../../redis/jobs/ground.ts';

export type { TryEnd } from '../../../src/redis/webhook-records.ts';

const failed = { status: 'failed', code: 'x', message: 'y' } as const;

export async function webhookTableOf(t: TestContext, places: number) {
  const { client, table: jobs, setTime, accept } = await openGround(t);
  const ask = async <T>(commands: (client: RedisClient) => Promise<T>) => ({
    ok: true as const,
    value: await commands(client),
  });
  const table = webhookTable({ ask, durable: ask, keys }, places);
  return {
    ...{ client, jobs, table, got, keys, setTime, BEGIN_MS },
    async register(tenant: string, status: 'enabled' | 'disabled' = 'enabled', revision = 0) {
      const because = status === 'enabled' ? null : 'operator';
      got(await table.register({ tenant, revision, status, because, sealed: 'x' }));
    },
    /** @param end undefined: it goes on running */
    async run(id: string, end?: 'completed' | 'failed', more: Partial<NewJob> = {}) {
      await accept(id, more);
      got(await jobs.pick(LINE, 1));
      got(await jobs.start(id, 'run', 1));
      if (end) got(await jobs.finish(id, 1, end === 'completed' ? completed : failed, asEstimated));
    },
  };
}
