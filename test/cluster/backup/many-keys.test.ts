/** Many keys: in bounded memory, and admissions hardly notice. A hundred thousand in the long form. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { redisKeys } from '../../../src/redis/keys.ts';
import { connected, redisConfig, runTicket } from '../../redis/ground.ts';
import { startRedis } from '../../support/redis.ts';
import { isLong } from '../jobs/support/place.ts';
import { type Ended, runRole, scratch } from './support/ground.ts';

const keys = redisKeys('sluice');
const FEW = 1_000;
const MANY = isLong ? 100_000 : 10_000;
const MORE_MEMORY_MB_MAX = 60;
/** Of a machine that others use too: three processes share its cores here. */
const SLOWER_MS_MAX = 150;
/** What Redis itself needs for a step, on average. */
const STEP_MICROSECONDS_MAX = { scan: 1_000, evalsha: 300 };
/** The collector is kept short, so that what is measured is what is held. */
const measured = [
  ...['--max-old-space-size=96', '--max-semi-space-size=2', '--import'],
  `data:text/javascript,process.on('exit',()=>console.error('peak',process.resourceUsage().maxRSS))`,
];

test('many keys need no more memory than a few, both ways, and admissions go on as before', {
  timeout: 60_000,
}, async (t) => {
  const inFolder = await scratch(t);
  const [redis, target] = await Promise.all([startRedis(), startRedis()]);
  const client = new Redis(redis.url);
  t.after(async () => {
    client.disconnect();
    await Promise.all([redis.stop(), target.stop()]);
  });
  await seed(client, 0, FEW);
  const run = (...words: string[]) => runRole(words, { REDIS_URL: redis.url }, measured);
  const small = await run('backup', inFolder('small'));
  await seed(client, FEW, MANY);

  const admissions = await measureAdmissions(t, redis.url);
  const quiet = await admissions.during(async () => new Promise((resolve) => setTimeout(resolve, 500)));
  const begunMs = performance.now();
  let large: Ended | undefined;
  const during = await admissions.during(async () => {
    large = await run('backup', inFolder('large'));
  });
  const tookMs = performance.now() - begunMs;
  const back = await runRole(['restore', inFolder('large')], { REDIS_URL: target.url }, measured);
  assert.equal(back.code, 0, back.err);

  const memory = [small, large as Ended, back].map(peakMb);
  t.diagnostic(
    `peak memory: ${FEW} keys ${memory[0]} MB; ${MANY} keys ${memory[1]} MB, put back ${memory[2]} MB`,
  );
  t.diagnostic(`the backup took ${(tookMs / 1_000).toFixed(1)} s: ${large?.out.trim()}`);
  t.diagnostic(`admissions: p99 ${quiet.toFixed(2)} ms without, ${during.toFixed(2)} ms during the backup`);
  for (const mb of memory.slice(1)) assert.ok(mb <= (memory[0] as number) + MORE_MEMORY_MB_MAX);
  assert.ok(during <= quiet + SLOWER_MS_MAX);
  await stepsAreShort(t, client);
  const copy = new Redis(target.url);
  t.after(() => copy.disconnect());
  assert.equal(await copy.zcard(keys.allKeys()), MANY / 2);
  assert.equal(await copy.get(keys.owner(`key_${MANY - 2}`)), 'tenant-8');
});

async function seed(client: Redis, from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += 1_000) {
    const steps = client.pipeline();
    for (let index = first; index < first + 1_000; index += 2) {
      const [tenant, id] = [`tenant-${index % 10}`, `key_${index}`];
      steps.set(keys.key(tenant, id), JSON.stringify({ id, tenant, name: 'x'.repeat(300) }));
      steps.set(keys.owner(id), tenant);
      steps.zadd(keys.allKeys(), index, `${tenant}/${id}`);
    }
    await steps.exec();
  }
}

async function measureAdmissions(t: TestContext, url: string) {
  const connection = await connected(t, redisConfig(url, { command_timeout_ms: 5_000 }));
  let number = 0;
  return {
    /** @returns the 99th percentile of admission and settlement together, ms */
    async during(work: () => Promise<unknown>): Promise<number> {
      const took: number[] = [];
      let isOver = false;
      const working = work().finally(() => {
        isOver = true;
      });
      while (!isOver) {
        number += 1;
        const begunMs = performance.now();
        assert.equal(await runTicket(connection, 'admitted', number), 'open');
        took.push(performance.now() - begunMs);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await working;
      took.sort((a, b) => a - b);
      return took[Math.floor(took.length * 0.99)] ?? 0;
    },
  };
}

function peakMb({ code, err }: Ended): number {
  assert.equal(code, 0, err);
  return Math.round(Number(/^peak (\d+)$/m.exec(err)?.[1]) / 1_024);
}

async function stepsAreShort(t: TestContext, client: Redis): Promise<void> {
  const report = await client.info('commandstats');
  for (const [command, microsecondsMax] of Object.entries(STEP_MICROSECONDS_MAX)) {
    const took = Number(new RegExp(`^cmdstat_${command}:.*usec_per_call=([\\d.]+)`, 'm').exec(report)?.[1]);
    t.diagnostic(`${command} took ${took} µs on average`);
    assert.ok(took <= microsecondsMax);
  }
}
