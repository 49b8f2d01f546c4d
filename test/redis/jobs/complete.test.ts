/** A small answer is stored in the step that ends its job: either both have happened, or neither. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { jobTable } from '../../../src/redis/job-table.ts';
import { packSmall, SMALL_BYTES } from '../../../src/redis/packed-body.ts';
import { startRedis } from '../../support/redis.ts';
import { HOUR_MS, payloadGround, someBody, value } from '../payloads/ground.ts';
import { asEstimated, jobOf, LINE } from './ground.ts';

const body = Buffer.from('an answer');
const packed = packSmall(body);
assert.ok(packed);
const answered = { status: 'completed', answer: { packed, lifetimeMs: HOUR_MS } } as const;
const bounds = { tenantJobsMax: 9, tenantBytesMax: 1e9, jobsMax: 9, bytesMax: 1e9 };

/** A job with its request, as attempt 1 runs it. */
async function running(t: TestContext) {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const { connection, table: payloads, raw } = await payloadGround(t, redis.url);
  const jobs = jobTable(connection);
  value(await payloads.writeRequest('job_1', Buffer.from('a request'), HOUR_MS));
  value(await jobs.accept(jobOf('job_1'), bounds, Number.MAX_SAFE_INTEGER));
  value(await jobs.pick(LINE, 1));
  value(await jobs.start('job_1', 'run 1', 9));
  const kinds = async () => [
    value(await payloads.readRequest('job_1')).kind,
    value(await payloads.readResult('job_1', 1)).kind,
    value(await jobs.find('job_1'))?.status,
  ];
  return { jobs, payloads, raw, kinds, keys: connection.keys };
}

test('a completed job has its answer, for as long as was said, and its request is gone', async (t) => {
  const { jobs, payloads, raw, kinds, keys } = await running(t);
  const ended = value(await jobs.finish('job_1', 1, answered, asEstimated));
  assert.equal(ended.verdict, 'finished');
  assert.deepEqual(await kinds(), ['missing', 'whole', 'completed']);
  assert.deepEqual(value(await payloads.readResult('job_1', 1)), { kind: 'whole', body });
  const leftMs = await raw((client) => client.pttl(keys.result('job_1', 1)));
  assert.ok(leftMs > HOUR_MS - 10_000 && leftMs <= HOUR_MS);
  const repeated = value(await jobs.finish('job_1', 1, answered, asEstimated));
  assert.equal(repeated.verdict, 'finished');
  assert.deepEqual(await kinds(), ['missing', 'whole', 'completed']);
});

test('an attempt that does not count stores no answer and takes no request out', async (t) => {
  const { jobs, kinds } = await running(t);
  value(await jobs.start('job_1', 'run 2', 9));
  assert.equal(value(await jobs.finish('job_1', 1, answered, asEstimated)).verdict, 'superseded');
  assert.deepEqual(await kinds(), ['whole', 'missing', 'in_progress']);
  value(await jobs.cancel('job_1', 'acme', 'caller'));
  assert.equal(value(await jobs.finish('job_1', 2, answered, asEstimated)).verdict, 'over');
  assert.deepEqual(await kinds(), ['whole', 'missing', 'cancelled']);
});

test('a full Redis takes neither the answer nor the end', async (t) => {
  const { jobs, raw, kinds } = await running(t);
  await raw((client) => client.config('SET', 'maxmemory', '1'));
  const refused = await jobs.finish('job_1', 1, answered, asEstimated);
  assert.ok(!refused.ok && /OOM/.test(refused.failure.cause), JSON.stringify(refused));
  await raw((client) => client.config('SET', 'maxmemory', '0'));
  assert.deepEqual(await kinds(), ['whole', 'missing', 'in_progress']);
});

test('a small request comes along when its job begins, a larger one does not', async (t) => {
  const { jobs, payloads } = await running(t);
  const small = value(await jobs.start('job_1', 'run 1', 9));
  assert.deepEqual(small.request, { kind: 'whole', body: Buffer.from('a request') });
  for (const bytes of [5_000, SMALL_BYTES]) {
    const request = someBody(bytes);
    value(await payloads.writeRequest('job_1', request, HOUR_MS));
    const again = value(await jobs.start('job_1', `with ${bytes}`, 9));
    assert.deepEqual(again.request, { kind: 'whole', body: request });
  }
  value(await payloads.writeRequest('job_1', Buffer.alloc(SMALL_BYTES + 1), HOUR_MS));
  assert.equal(value(await jobs.start('job_1', 'larger', 9)).request, undefined);
});

test('a request that was spoilt comes along as damaged', async (t) => {
  const { jobs, raw, keys } = await running(t);
  await raw((client) => client.hset(keys.payload('job_1'), '0', 'another'));
  assert.deepEqual(value(await jobs.start('job_1', 'run 2', 9)).request, { kind: 'damaged' });
});
