/** A stream that is written while it comes can be read from any number on, and its end is known. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { listen } from '../ground.ts';
import { HOUR_MS, payloadGround, someBody, value } from './ground.ts';

let redis: TestRedis;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

const bounds = { lifetimeMs: HOUR_MS, bytesMax: 10_000_000 };

test('a reader who follows sees every byte in order, and the end', async (t) => {
  const { table, connection } = await payloadGround(t, redis.url);
  const news = listen(connection, connection.keys.pieceNews());
  t.after(() => news.close());
  while (news.times === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const writer = table.pieces.begin('job_1', 2, bounds);
  const events = Array.from({ length: 500 }, (_, index) => Buffer.from(`data: ${index}\n\n`));
  const written = (async () => {
    for (const event of events) {
      assert.ok(writer.append(event));
      if (Math.random() < 0.02) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return value(await writer.close(1_000));
  })();
  const seen: Buffer[] = [];
  let next = 0;
  for (;;) {
    const read = value(await table.pieces.read('job_1', 2, next));
    if (read.kind !== 'pieces') continue;
    seen.push(...read.pieces);
    next = read.next;
    if (read.isEnd) break;
  }
  assert.ok(Buffer.concat(seen).equals(Buffer.concat(events)));
  assert.ok(
    seen.every((piece) => piece.toString().endsWith('\n\n')),
    'an event was torn apart',
  );
  const end = await written;
  assert.equal(end.pieces, seen.length);
  assert.equal(news.heard.at(-1), `job_1 2 ${end.pieces}`);
  const again = value(await table.pieces.read('job_1', 2, 1));
  assert.ok(again.kind === 'pieces' && again.pieces[0]?.equals(seen[1] as Buffer));
});

test('a long stream is read in bounded parts, and a long event comes back whole', async (t) => {
  const { table } = await payloadGround(t, redis.url);
  const writer = table.pieces.begin('job_2', 1, bounds);
  const body = someBody(9_000_000);
  assert.ok(writer.append(body));
  value(await writer.close(5_000));
  const first = value(await table.pieces.read('job_2', 1, 0));
  assert.ok(first.kind === 'pieces' && !first.isEnd && first.pieces.length === 16);
  const seen: Buffer[] = [];
  for (let next = 0, isEnd = false; !isEnd; ) {
    const read = value(await table.pieces.read('job_2', 1, next));
    assert.ok(read.kind === 'pieces');
    seen.push(...read.pieces);
    ({ next, isEnd } = read);
  }
  assert.ok(Buffer.concat(seen).equals(body));
});

test('a stream ends at its bound', async (t) => {
  const { table } = await payloadGround(t, redis.url);
  const writer = table.pieces.begin('job_3', 1, { ...bounds, bytesMax: 10 });
  assert.equal(writer.append(Buffer.from('12345678')), true);
  assert.equal(writer.append(Buffer.from('901')), false);
  assert.equal(value(await writer.close(1_000)).bytes, 8);
  assert.equal(writer.append(Buffer.from('9')), false, 'after the end nothing is taken');
});

test('what is gone or spoilt is damaged, and what never began is missing', async (t) => {
  const { table, connection, raw } = await payloadGround(t, redis.url);
  assert.deepEqual(value(await table.pieces.read('job_4', 1, 0)), { kind: 'missing' });
  const writer = table.pieces.begin('job_4', 1, bounds);
  writer.append(someBody(1_000_000));
  value(await writer.close(1_000));
  const key = connection.keys.pieces('job_4', 1);
  const second = await raw((client) => client.hgetBuffer(key, '1'));
  await raw((client) => client.hset(key, '1', Buffer.from('nonsense')));
  assert.equal(value(await table.pieces.read('job_4', 1, 0)).kind, 'damaged');
  await raw((client) => client.hdel(key, '1'));
  assert.equal(value(await table.pieces.read('job_4', 1, 0)).kind, 'damaged');
  await raw((client) => client.hset(key, '1', second as Buffer));
  assert.equal(value(await table.pieces.read('job_4', 1, 0)).kind, 'pieces');
});

test('a stream that was written while Redis was away is whole when it is back', async (t) => {
  const own = await startRedis();
  t.after(() => own.stop());
  const { table } = await payloadGround(t, own.url);
  const writer = table.pieces.begin('job_5', 1, bounds);
  const events = Array.from({ length: 30 }, (_, index) => Buffer.from(`data: ${index}\n\n`));
  for (const [index, event] of events.entries()) {
    if (index === 10) own.pause();
    if (index === 20) own.resume();
    writer.append(event);
    await new Promise((resolve) => setTimeout(resolve, index < 10 || index >= 20 ? 10 : 120));
  }
  value(await writer.close(5_000));
  const read = value(await table.pieces.read('job_5', 1, 0));
  assert.ok(read.kind === 'pieces' && read.isEnd);
  assert.ok(Buffer.concat(read.pieces).equals(Buffer.concat(events)));
});

test('closing gives up after its limit while Redis is away', async (t) => {
  const own = await startRedis();
  t.after(() => own.stop());
  const { table } = await payloadGround(t, own.url);
  const writer = table.pieces.begin('job_6', 1, bounds);
  own.pause();
  writer.append(Buffer.from('data: 1\n\n'));
  const begunMs = performance.now();
  assert.equal((await writer.close(300)).ok, false);
  const tookMs = performance.now() - begunMs;
  assert.ok(tookMs < 3 * 600, `${tookMs} ms`);
  own.resume();
});
