/** Nothing of jobs grows for ever, and what a job that never ran had reserved comes back. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { makeJobId } from '../../src/jobs/job-id.ts';
import { JobSweeper } from '../../src/jobs/sweep.ts';
import type { NewJob } from '../../src/redis/job-table.ts';
import { jobUpkeep } from '../../src/redis/job-upkeep.ts';
import { recordingLog } from '../redis/ground.ts';
import { value } from '../redis/payloads/ground.ts';
import { until } from './ground.ts';
import { openWorkplace, type Workplace } from './workplace.ts';

const bounds = { tenantJobsMax: 1e6, tenantBytesMax: 1e9, jobsMax: 1e6, bytesMax: 1e9 };
const asEstimated = { cost: undefined, usage: undefined };
const LIFE_MS = 500;

function sweep(t: TestContext, place: Workplace): JobSweeper {
  const { table, connection, limits } = place;
  const upkeep = jobUpkeep(connection.commands);
  const { log } = recordingLog();
  const sweeper = new JobSweeper({ table, upkeep, tickets: limits.jobTickets, log, everyMs: 50 });
  sweeper.start();
  t.after(() => sweeper.stop());
  return sweeper;
}

test('a job that ends before it runs gives back what it had reserved, although nobody else does it', async (t) => {
  const place = await openWorkplace(t);
  const tenants = ['expires', 'cancelled', 'forgotten'];
  const quotas = [{ period: 'total', requests: 1 }];
  for (const tenant of tenants) await place.makeTenant(tenant, { quotas });
  const [, cancelled = '', forgotten = ''] = await Promise.all(
    tenants.map((tenant) => place.putJob({ tenant })),
  );
  for (const tenant of tenants) await assert.rejects(place.putJob({ tenant }), /refused/);
  const client = new Redis(place.redis.port);
  t.after(() => client.disconnect());
  // As after a day.
  const due = place.connection.commands.keys.jobsDue();
  const [expiring = ''] = value(await place.table.list('expires', 0, 1));
  await client.zadd(due, 1, expiring);
  await client.hset(place.connection.commands.keys.job(expiring), 'expires_ms', 1);
  value(await place.table.cancel(cancelled, 'cancelled', 'a test'));
  value(await place.table.forget(forgotten, 'forgotten'));
  sweep(t, place);
  await until(async () => (await client.exists(place.connection.commands.keys.unrunJobs())) === 0);
  assert.equal((await place.find(expiring)).status, 'expired');
  for (const tenant of tenants) await place.putJob({ tenant });
});

test('five hundred jobs that end in all ways leave no more keys than the first ones', async (t) => {
  const place = await openWorkplace(t);
  const client = new Redis(place.redis.port);
  t.after(() => client.disconnect());
  sweep(t, place);
  const names = async () => (await client.keys('*')).sort();
  const isQuiet = async () => (await client.keys('*_jobs}:job:*')).length === 0;
  const cleared = async () => {
    await until(
      async () => (await isQuiet()) && !(await names()).some((name) => /:(unrun|payload|result)/.test(name)),
    );
  };
  await live(place, 5);
  await cleared();
  const before = (await names()).filter((name) => !name.endsWith(':sweeping'));
  const begunMs = performance.now();
  await live(place, 500);
  const most = (await names()).length;
  await cleared();
  t.diagnostic(
    `500 jobs: ${most} keys at most, back to ${before.length} in ${Math.round(performance.now() - begunMs)} ms`,
  );
  assert.ok(most > before.length + 100, 'they were there');
  assert.deepEqual(
    (await names()).filter((name) => !name.endsWith(':sweeping')),
    before,
  );
});

/** Accepts so many, of which one fifth each completes, fails, is cancelled, expires in line, and expires in hand. */
async function live(place: Workplace, count: number): Promise<void> {
  const { table, payloads } = place;
  const ids = Array.from({ length: count }, () => makeJobId());
  await Promise.all(
    ids.map(async (id, index) => {
      const job: NewJob = {
        ...{ id, tenant: `tenant-${index % 5}`, keyId: 'key_1', model: 'glm', via: 'async', priority: 0 },
        ...{ line: index % 5 === 3 ? 'waits' : 'runs', cost: 1_000, weight: 1, bytes: 100 },
        ...{ once: { digest: id, bodyDigest: 'b', keptMs: LIFE_MS }, expiresInMs: LIFE_MS, keptMs: LIFE_MS },
      };
      value(await payloads.writeRequest(id, Buffer.from('a request'), LIFE_MS));
      const last = value(await table.clock()) + 60_000;
      assert.equal(value(await table.accept(job, bounds, last)).verdict, 'accepted');
    }),
  );
  value(await table.pick('runs', count));
  await Promise.all(ids.map((id, index) => endings[index % 5]?.(place, id)));
}

const endings = [
  async ({ table, payloads }: Workplace, id: string) => {
    const { attempt } = value(await table.start(id, id, 3));
    value(await payloads.writeResult(id, attempt, Buffer.from('an answer'), LIFE_MS));
    value(await table.finish(id, attempt, { status: 'completed' }, asEstimated));
  },
  async ({ table }: Workplace, id: string) => {
    const { attempt } = value(await table.start(id, id, 3));
    value(await table.finish(id, attempt, { status: 'failed', code: 'x', message: '' }, asEstimated));
  },
  async ({ table }: Workplace, id: string) => value(await table.cancel(id, undefined, 'a test')),
  async () => undefined,
  async ({ table }: Workplace, id: string) => value(await table.start(id, id, 3)),
] as const;
