import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewJob } from '../../../src/redis/job-table.ts';
import { BEGIN_MS, bounds, DAY_MS, got, jobOf, openGround, snapshot } from './ground.ts';

const once = { digest: 'd1', bodyDigest: 'b1', keptMs: DAY_MS };

test('an accepted job has its record, its place, its entry and its counts', async (t) => {
  const { accept, table } = await openGround(t);
  assert.deepEqual(await accept('job_1', { once, bytes: 70 }), { verdict: 'accepted', id: 'job_1', rank: 0 });
  assert.deepEqual(await accept('job_2'), { verdict: 'accepted', id: 'job_2', rank: 1 });
  assert.deepEqual(got(await table.find('job_1')), {
    ...{ id: 'job_1', tenant: 'acme', key_id: 'key_1', model: 'llama', line: 'llama', via: 'async' },
    ...{ status: 'queued', priority: 5, cost: 1_000, bytes: 70, created_at_ms: BEGIN_MS },
    ...{ expires_at_ms: BEGIN_MS + DAY_MS, started_at_ms: null, finished_at_ms: null, attempt: 0 },
    ...{ result_attempt: null, usage: null, error: null, cancelled_by: null, retry_of: null },
  });
  assert.equal(got(await table.find('job_3')), undefined);
  assert.deepEqual(got(await table.totals()), { jobs: 2, bytes: 80 });
  assert.deepEqual(got(await table.lines()), ['llama']);
  assert.deepEqual(got(await table.list('acme', 0, 10)), ['job_2', 'job_1']);
});

test('the same job again is accepted once, even when it comes too late', async (t) => {
  const { accept, table, client } = await openGround(t);
  await accept('job_1');
  const before = await snapshot(client);
  assert.deepEqual(await accept('job_1'), { verdict: 'accepted', id: 'job_1', rank: 0 });
  const late = got(await table.accept(jobOf('job_1'), bounds, BEGIN_MS - 1));
  assert.deepEqual(late, { verdict: 'accepted', id: 'job_1', rank: 0 });
  assert.deepEqual(await snapshot(client), before);
});

interface Refusal {
  readonly name: string;
  readonly verdict: string;
  readonly more?: Partial<NewJob>;
  readonly limits?: Partial<typeof bounds>;
  readonly lastMomentMs?: number;
}

const refusals: readonly Refusal[] = [
  { name: 'another body', verdict: 'mismatch', more: { once: { ...once, bodyDigest: 'b2' } } },
  { name: 'one job too many of a tenant', verdict: 'full_tenant', limits: { tenantJobsMax: 1 } },
  { name: 'a byte too many of a tenant', verdict: 'full_tenant', limits: { tenantBytesMax: 19 } },
  { name: 'one job too many', verdict: 'full', limits: { jobsMax: 1 } },
  { name: 'a byte too many', verdict: 'full', limits: { bytesMax: 19 } },
  { name: 'too late', verdict: 'late', lastMomentMs: BEGIN_MS - 1 },
];

for (const { name, verdict, more = {}, limits = {}, lastMomentMs = BEGIN_MS } of refusals) {
  test(`what is refused (${name}) has written nothing`, async (t) => {
    const { accept, table, client } = await openGround(t);
    await accept('job_1', { once });
    const before = await snapshot(client);
    const answer = await table.accept(jobOf('job_2', more), { ...bounds, ...limits }, lastMomentMs);
    assert.deepEqual(got(answer), { verdict });
    assert.deepEqual(await snapshot(client), before);
  });
}

test('what just fits its bounds is accepted', async (t) => {
  const { accept } = await openGround(t);
  const limits = { tenantJobsMax: 2, tenantBytesMax: 20, jobsMax: 3, bytesMax: 30 };
  await accept('job_1', {}, limits);
  assert.equal((await accept('job_2', {}, limits)).verdict, 'accepted');
  assert.equal((await accept('job_3', { tenant: 'other' }, limits)).verdict, 'accepted');
  assert.equal((await accept('job_4', { tenant: 'third' }, limits)).verdict, 'full');
});

test('the same key and body lead to the same job, and the same key of another tenant does not', async (t) => {
  const { accept } = await openGround(t);
  await accept('job_1', { once });
  assert.deepEqual(await accept('job_2', { once }), { verdict: 'exists', id: 'job_1', rank: 0 });
  assert.equal((await accept('job_3', { once, tenant: 'other' })).verdict, 'accepted');
});

test('a key is free again when its entry has gone, or the job that it led to', async (t) => {
  const { accept, table, client } = await openGround(t);
  await accept('job_1', { once });
  await table.forget('job_1', 'acme');
  assert.deepEqual(await client.keys('*once*'), []);
  assert.equal((await accept('job_2', { once })).verdict, 'accepted');
  await client.del('sluice:1:{_jobs}:job:job_2');
  assert.equal((await accept('job_3', { once })).verdict, 'accepted');
});

test('while Redis is full nothing is accepted and nothing written, and what is there goes on', async (t) => {
  const { accept, table, client, pick } = await openGround(t, {
    extra: ['--maxmemory-policy', 'noeviction'],
  });
  for (const id of ['job_1', 'job_2', 'job_3']) await accept(id);
  const before = await snapshot(client);
  await client.config('SET', 'maxmemory', '1mb');
  await assert.rejects(accept('job_4'), /OOM/);
  assert.deepEqual(await snapshot(client), before);

  assert.deepEqual(await pick(2), ['job_1', 'job_2']);
  assert.equal(got(await table.start('job_1', 'run', 3)).verdict, 'started');
  assert.equal(got(await table.putBack('job_2', 0)).verdict, 'waiting');
  const finished = await table.finish('job_1', 1, { status: 'completed' }, { cost: 5, usage: '{}' });
  assert.equal(got(finished).verdict, 'finished');
  assert.equal(got(await table.cancel('job_3', 'acme', 'caller')).verdict, 'cancelled');
  await client.config('SET', 'maxmemory', '0');
  assert.equal((await accept('job_4')).verdict, 'accepted');
});

test('estimates, weights and priorities that are none are kept within their bounds', async (t) => {
  const { accept, pick, table } = await openGround(t);
  for (const [index, odd] of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 1e300].entries()) {
    const more = { tenant: `t${index}`, cost: odd, weight: odd, priority: odd };
    assert.equal((await accept(`job_${index}`, more)).verdict, 'accepted');
    const { cost, priority } = got(await table.find(`job_${index}`)) ?? { cost: 0, priority: -1 };
    assert.ok(
      cost >= 100 && cost <= 10_000_000 && priority >= 0 && priority <= 9,
      `${odd}: ${cost} ${priority}`,
    );
  }
  assert.equal((await pick(9)).length, 5);
});
