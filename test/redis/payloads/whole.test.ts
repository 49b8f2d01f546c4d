/** What was written comes back, whole and byte for byte. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CHUNK_BYTES } from '../../../src/redis/chunked-body.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { gathered, HOUR_MS, payloadGround, someBody, value } from './ground.ts';

let redis: TestRedis;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

test('bodies of any length come back byte for byte, whole and as a stream', async (t) => {
  const { table } = await payloadGround(t, redis.url);
  const lengths = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3_000_000, 20_000_000];
  for (const length of lengths) {
    const body = someBody(length);
    const written = value(await table.writeResult('job_1', 1, body, HOUR_MS));
    assert.ok(typeof written === 'object' && written.bytes === length, JSON.stringify(written));
    const read = value(await table.readResult('job_1', 1));
    assert.ok(read.kind === 'whole' && read.body.equals(body), `${length} bytes: ${read.kind}`);
    const stream = value(await table.streamResult('job_1', 1));
    assert.ok(stream !== 'missing' && (await gathered(stream)).equals(body), `${length} bytes as a stream`);
  }
});

test('a body is stored compressed, in chunks of at most 256 KB', async (t) => {
  const { table, connection, raw } = await payloadGround(t, redis.url);
  const written = value(await table.writeRequest('job_2', someBody(4_000_000), HOUR_MS));
  assert.ok(typeof written === 'object' && written.storedBytes < 2_500_000, JSON.stringify(written));
  const chunks = await raw((client) => client.hgetallBuffer(connection.keys.payload('job_2')));
  const sizes = Object.values(chunks).map((chunk) => chunk.length);
  assert.ok(sizes.length > 8 && Math.max(...sizes) <= 256_000 * 1.024, String(sizes));
});

test('writing again replaces the body, also a longer one', async (t) => {
  const { table } = await payloadGround(t, redis.url);
  await table.writeRequest('job_3', someBody(2_000_000), HOUR_MS);
  const second = someBody(100);
  await table.writeRequest('job_3', second, HOUR_MS);
  const read = value(await table.readRequest('job_3'));
  assert.ok(read.kind === 'whole' && read.body.equals(second));
});

test('request and answers of several attempts do not touch one another', async (t) => {
  const { table } = await payloadGround(t, redis.url);
  const bodies = [someBody(10), someBody(20), someBody(30)] as const;
  await table.writeRequest('job_4', bodies[0], HOUR_MS);
  await table.writeResult('job_4', 1, bodies[1], HOUR_MS);
  await table.writeResult('job_4', 2, bodies[2], HOUR_MS);
  const read = [
    await table.readRequest('job_4'),
    await table.readResult('job_4', 1),
    await table.readResult('job_4', 2),
  ];
  assert.deepEqual(
    read.map(value),
    bodies.map((body) => ({ kind: 'whole', body })),
  );
});

test('a body over the bound is not written', async (t) => {
  const { table } = await payloadGround(t, redis.url, { requestBytesMax: 1_000 });
  assert.equal(value(await table.writeRequest('job_5', someBody(1_001), HOUR_MS)), 'too_large');
  assert.deepEqual(value(await table.readRequest('job_5')), { kind: 'missing' });
});
