import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Redis } from 'ioredis';
import { asEstimated, bounds, completed, type Ground, got, jobOf, LINE, openGround } from './ground.ts';

const [JOBS, TENANTS] = process.env.SLUICE_LONG === '1' ? [100_000, 1_000] : [20_000, 1_000];
const FEW = 2_000;
const SAMPLE = 400;

test(`a job that waits takes at most 1,200 bytes, and with ${JOBS} of them no step takes much longer`, async (t) => {
  const ground = await openGround(t);
  const empty = await usedMemory(ground.client);
  await fill(ground, 0, FEW);
  const few = await timings(ground, 'few');
  await fill(ground, FEW, JOBS);
  const many = await timings(ground, 'many');
  const bytes = ((await usedMemory(ground.client)) - empty) / JOBS;
  t.diagnostic(`${JOBS} jobs of ${TENANTS} tenants wait, ${bytes.toFixed(0)} bytes each`);
  for (const [name, us] of many) {
    t.diagnostic(
      `${name}: ${few.get(name)?.toFixed(0)} us with ${FEW} waiting, ${us.toFixed(0)} us with ${JOBS}`,
    );
    // O(log n) is 1.5 times from 2,000 to 100,000; a step that looks at all jobs takes 10 to 50 times as long.
    assert.ok(us < 4 * (few.get(name) ?? 0) + 50, `${name}: ${us} us`);
  }
  assert.ok(bytes <= 1_200, `${bytes} bytes a job`);
});

async function fill({ table }: Ground, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 500) {
    const batch = Array.from({ length: Math.min(500, to - at) }, (_, index) =>
      table.accept(newJob(String(at + index), at + index), bounds, Number.MAX_SAFE_INTEGER),
    );
    for (const answer of await Promise.all(batch)) assert.equal(got(answer).verdict, 'accepted');
  }
}

function newJob(name: string, number: number) {
  return jobOf(`job_${name.padStart(22, '0')}`, {
    tenant: `tenant-${number % TENANTS}`,
    keyId: 'key_000000000001',
    model: 'llama-3.1-70b-instruct',
    cost: 500 + ((number * 7) % 4_000),
    bytes: 200_000,
  });
}

/** Time inside Redis for one step of each kind, us; leaves nearly as many waiting as it found. */
async function timings({ client, table }: Ground, name: string): Promise<ReadonlyMap<string, number>> {
  const us = new Map<string, number>();
  const measure = async (step: string, work: (id: string, index: number) => Promise<unknown>) => {
    await client.config('RESETSTAT');
    await Promise.all(ids.map(work));
    // The median: a machine that stops for a moment is not Redis.
    const [, median] = /evalsha:p50=([\d.]+)/.exec(await client.info('latencystats')) ?? [];
    us.set(step, Number(median));
  };
  const names = Array.from({ length: SAMPLE }, (_, index) => `${name}${index}`);
  let ids = names.map((one) => `job_${one.padStart(22, '0')}`);
  await measure('accept', (_id, index) =>
    table.accept(newJob(names[index] ?? '', index), bounds, Number.MAX_SAFE_INTEGER),
  );
  await measure('place', (id) => table.place(id));
  await measure('cancel', (id) => table.cancel(id, undefined, 'operator'));
  const picked: string[] = [];
  await measure('pick', async () => {
    for (const { id } of got(await table.pick(LINE, 1))) picked.push(id);
  });
  ids = picked;
  await measure('put back', (id) => table.putBack(id, 0));
  await measure('park', (_id, index) => table.park(LINE, `tenant-${index}`, 1_000));
  await measure('unpark', (_id, index) => table.park(LINE, `tenant-${index}`, 0));
  ids = got(await table.pick(LINE, SAMPLE)).map(({ id }) => id);
  await measure('start', (id) => table.start(id, 'run', 3));
  await measure('finish', (id) => table.finish(id, 1, completed, asEstimated));
  await measure('sweep', () => table.sweep(10));
  return us;
}

async function usedMemory(client: Redis): Promise<number> {
  const [, bytes] = /used_memory:(\d+)/.exec(await client.info('memory')) ?? [];
  return Number(bytes);
}
