/** Without Redis a body is an error in time, and what Redis has no room for is not half there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRedis } from '../../support/redis.ts';
import { HOUR_MS, payloadGround, someBody, value } from './ground.ts';

const LIMIT_MS = 500;

for (const [name, act] of [
  ['frozen', 'pause'],
  ['killed', 'stop'],
] as const) {
  test(`writing and reading while Redis is ${name} fails within ${LIMIT_MS} ms, however many wait`, async (t) => {
    const redis = await startRedis();
    t.after(async () => {
      if (act === 'pause') redis.resume();
      await redis.stop();
    });
    const { table, connection } = await payloadGround(t, redis.url);
    const body = someBody(20_000_000);
    value(await table.writeRequest('job_0', body, HOUR_MS));
    const underWay = Array.from({ length: 8 }, (_, index) =>
      table.writeRequest(`job_${index + 1}`, body, HOUR_MS),
    );
    underWay.push(
      table.readRequest('job_0').then((read) => (read.ok ? { ok: true, value: 'damaged' } : read)),
    );
    while (value(await connection.ask((client) => client.exists(connection.keys.payload('job_8')))) === 0);
    const begunMs = performance.now();
    if (act === 'pause') redis.pause();
    else process.kill(redis.pid, 'SIGKILL');
    const answers = await Promise.all(underWay);
    const tookMs = performance.now() - begunMs;
    const failed = answers.filter(({ ok }) => !ok).length;
    t.diagnostic(`${failed} of ${answers.length} under way failed within ${Math.round(tookMs)} ms`);
    assert.ok(failed >= 1);
    assert.ok(tookMs < 3 * LIMIT_MS, `${tookMs} ms`);

    const lateMs = performance.now();
    assert.equal((await table.writeRequest('job_9', body, HOUR_MS)).ok, false);
    assert.ok(performance.now() - lateMs < 3 * LIMIT_MS);
  });
}

test('a full Redis refuses a body, and the part that it took goes away', async (t) => {
  const redis = await startRedis({ extra: ['--maxmemory', '6mb', '--maxmemory-policy', 'noeviction'] });
  t.after(() => redis.stop());
  const { table, connection, raw } = await payloadGround(t, redis.url);
  const written = await table.writeRequest('job_1', someBody(20_000_000), HOUR_MS);
  assert.ok(!written.ok && /OOM/.test(written.failure.cause), JSON.stringify(written));
  assert.equal(value(await table.readRequest('job_1')).kind, 'missing');
  assert.ok((await raw((client) => client.pttl(connection.keys.payload('job_1')))) !== -1);
  value(await table.delete('job_1', 1));
  assert.ok(value(await table.writeRequest('job_2', someBody(1_000), HOUR_MS)));
});
