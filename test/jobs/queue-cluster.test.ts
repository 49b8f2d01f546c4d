/** On a Redis Cluster all that belongs to jobs lies in one slot, and everything works as on one server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { payloadTable } from '../../src/redis/payload-table.ts';
import { HOUR_MS, someBody, value } from '../redis/payloads/ground.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { queueGround, until } from './ground.ts';

test('jobs run and bodies come back on a Cluster', async (t) => {
  const cluster = await startRedisCluster();
  t.after(() => cluster.stop());
  const { connection, queue, work } = await queueGround(t, cluster.url);
  const table = payloadTable(connection.payloads, { requestBytesMax: 2e7, resultBytesMax: 2e7 });
  const body = someBody(3_000_000);
  assert.ok(typeof value(await table.writeRequest('job_1', body, HOUR_MS)) === 'object');
  const writer = table.pieces.begin('job_1', 1, { lifetimeMs: HOUR_MS, bytesMax: 1_000 });
  writer.append(Buffer.from('data: 1\n\n'));
  value(await writer.close(1_000));

  const read: string[] = [];
  work(async ({ jobId }) => {
    const request = value(await table.readRequest(jobId));
    if (request.kind === 'whole' && request.body.equals(body)) read.push(jobId);
    return 'done';
  });
  value(await queue.add(['job_1']));
  await until(() => read.length === 1);
  const pieces = value(await table.pieces.read('job_1', 1, 0));
  assert.ok(pieces.kind === 'pieces' && pieces.isEnd);
  value(await table.delete('job_1', 1));
  assert.equal(value(await table.readRequest('job_1')).kind, 'missing');
});
