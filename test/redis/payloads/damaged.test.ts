/** What is not what was written is an error, never a body. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { DamagedBody } from '../../../src/redis/chunked-body.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { BODY_MAX, type Ground, gathered, HOUR_MS, payloadGround, someBody, value } from './ground.ts';

let redis: TestRedis;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

/** Writes a body of several chunks, spoils what lies in Redis, and reads it in both ways. */
async function readSpoilt(ground: Ground, spoil: (key: string) => Promise<unknown>): Promise<string> {
  const { table, connection } = ground;
  await table.writeResult('job_1', 1, someBody(2_000_000), HOUR_MS);
  await spoil(connection.keys.result('job_1', 1));
  const { kind } = value(await table.readResult('job_1', 1));
  const stream = value(await table.streamResult('job_1', 1));
  if (stream === 'missing') assert.equal(kind, 'missing');
  else await assert.rejects(gathered(stream), DamagedBody);
  return kind;
}

test('a body with a missing chunk is damaged, whichever it is', async (t) => {
  const ground = await payloadGround(t, redis.url);
  for (const chunk of ['0', '1', '3']) {
    const kind = await readSpoilt(ground, (key) => ground.raw((client) => client.hdel(key, chunk)));
    assert.equal(kind, 'damaged', `chunk ${chunk}`);
  }
});

test('a body with a changed, a shortened or a swapped chunk is damaged', async (t) => {
  const ground = await payloadGround(t, redis.url);
  const spoilers: Record<string, (chunk: Buffer) => Buffer> = {
    changed: (chunk) => chunk.fill(chunk.readUInt8(5_000) ^ 1, 5_000, 5_001),
    shortened: (chunk) => chunk.subarray(0, -1),
    emptied: () => Buffer.alloc(0),
  };
  for (const [name, spoil] of Object.entries(spoilers)) {
    const kind = await readSpoilt(ground, (key) =>
      ground.raw(async (client) =>
        client.hset(key, '1', spoil((await client.hgetBuffer(key, '1')) as Buffer)),
      ),
    );
    assert.equal(kind, 'damaged', name);
  }
  const swapped = await readSpoilt(ground, (key) =>
    ground.raw(async (client) => {
      const [one, two] = await client.hmgetBuffer(key, '1', '2');
      await client.hset(key, '1', two as Buffer, '2', one as Buffer);
    }),
  );
  assert.equal(swapped, 'damaged');
});

test('an unfinished body is missing', async (t) => {
  const ground = await payloadGround(t, redis.url);
  assert.equal(
    await readSpoilt(ground, (key) => ground.raw((client) => client.hdel(key, 'about'))),
    'missing',
  );
});

test('the chunks of another body under the same sum are damaged', async (t) => {
  const ground = await payloadGround(t, redis.url);
  const other = zstdCompressSync(someBody(2_000_000));
  const kind = await readSpoilt(ground, (key) =>
    ground.raw(async (client) => {
      const { chunks, ...about } = JSON.parse((await client.hget(key, 'about')) ?? '');
      assert.ok(chunks > 1);
      await client.hset(key, '0', other, 'about', JSON.stringify({ ...about, chunks: 1 }));
    }),
  );
  assert.equal(kind, 'damaged');
});

test('what expands beyond its length, or beyond the bound, is damaged and not expanded further', async (t) => {
  const ground = await payloadGround(t, redis.url);
  const bomb = zstdCompressSync(Buffer.alloc(300_000_000));
  const before = process.memoryUsage().arrayBuffers;
  for (const bytes of [1_000, 300_000_000]) {
    const kind = await readSpoilt(ground, (key) =>
      ground.raw((client) =>
        client.hset(key, '0', bomb, 'about', JSON.stringify({ chunks: 1, bytes, sha256: 'any' })),
      ),
    );
    assert.equal(kind, 'damaged', `${bytes} bytes`);
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < BODY_MAX * 3);
});

test('two that write one body at once leave one of the two, or none', async (t) => {
  const { table } = await payloadGround(t, redis.url);
  const bodies = [someBody(3_000_000), someBody(3_000_000)];
  await Promise.all(bodies.map((body) => table.writeRequest('job_2', body, HOUR_MS)));
  const read = value(await table.readRequest('job_2'));
  assert.ok(read.kind !== 'whole' || bodies.some((body) => body.equals(read.body)), read.kind);
});
