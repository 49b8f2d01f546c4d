/** The proxy does what it is told, or the tests that rely on it prove nothing. */
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { Redis, type RedisOptions } from 'ioredis';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type ChaosProxy, startChaosProxy } from './chaos-proxy.ts';
import { ReplySplitter } from './reply-splitter.ts';
import { seededRandom } from './seeded-random.ts';

let redis: TestRedis;

before(async () => {
  redis = await startRedis();
});

after(() => redis.stop());

/** As the gateway connects: nothing is sent twice, nothing is queued. */
const onceOnly: RedisOptions = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableReadyCheck: false,
  disableClientInfo: true,
  retryStrategy: () => 5,
  lazyConnect: true,
};

async function connected(t: TestContext, port: number, options: RedisOptions = {}): Promise<Redis> {
  const client = new Redis({ host: '127.0.0.1', port, ...onceOnly, ...options });
  client.on('error', () => undefined);
  t.after(() => client.disconnect());
  await client.connect();
  return client;
}

/** A proxy, a client through it, and one that goes straight to Redis. */
async function opened(
  t: TestContext,
  options: RedisOptions = {},
): Promise<{ proxy: ChaosProxy; client: Redis; direct: Redis }> {
  const proxy = await startChaosProxy(redis.port);
  t.after(() => proxy.stop());
  const direct = await connected(t, redis.port);
  await direct.flushall();
  return { proxy, client: await connected(t, proxy.port, options), direct };
}

async function tookMs(work: Promise<unknown>): Promise<number> {
  const begunMs = performance.now();
  await work;
  return performance.now() - begunMs;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endAtMs = performance.now() + 5_000;
  while (!(await condition())) {
    assert.ok(performance.now() < endAtMs, `not in time: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test('left alone, it passes every byte, also megabytes and a hundred commands at once', async (t) => {
  const { proxy, client } = await opened(t);
  const { replies } = proxy.stats(); // to the handshake
  const value = Buffer.alloc(5_000_000, 'größe\r\n$5\r\n');
  await client.set('large', value);
  assert.ok((await client.getBuffer('large'))?.equals(value));
  const counted = await Promise.all(Array.from({ length: 100 }, () => client.incr('n')));
  assert.deepEqual(
    counted,
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
  assert.equal(proxy.stats().replies - replies, 102);
  assert.equal(proxy.url, `redis://127.0.0.1:${proxy.port}`);
});

test('latency holds replies back, in order; the command has run before', async (t) => {
  const { proxy, client, direct } = await opened(t);
  proxy.latency(200);
  const { replies } = proxy.stats();
  const begunMs = performance.now();
  const slow = client.incr('n');
  // The proxy has the reply, so what is said from now on holds for the next one.
  await until(async () => (await direct.get('n')) === '1' && proxy.stats().replies === replies + 1);
  assert.ok(performance.now() - begunMs < 200, 'run at once');
  proxy.latency(0);
  const order: number[] = [];
  await Promise.all([slow, client.incr('n')].map(async (reply) => order.push(await reply)));
  assert.ok(performance.now() - begunMs >= 195);
  assert.deepEqual(order, [1, 2]);
  assert.ok((await tookMs(client.ping())) < 150);
});

test('stalled, nothing passes in either direction; resumed, all of it comes', async (t) => {
  const { proxy, client, direct } = await opened(t);
  proxy.stall();
  const waiting = client.incr('n');
  const late = connected(t, proxy.port).then((other) => other.incr('n'));
  await until(() => proxy.stats().accepted === 2);
  assert.equal(await Promise.race([waiting, late, direct.get('n').then(() => 'nothing')]), 'nothing');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await direct.get('n'), null);
  proxy.resume();
  assert.deepEqual([await waiting, await late].sort(), [1, 2]);
});

test('a reply that was under way when the stall began waits for its end', async (t) => {
  const { proxy, client } = await opened(t);
  proxy.latency(30);
  const { replies } = proxy.stats();
  const reply = client.incr('n');
  await until(() => proxy.stats().replies === replies + 1);
  proxy.stall();
  const silence = new Promise((resolve) => setTimeout(() => resolve('silence'), 120));
  assert.equal(await Promise.race([reply, silence]), 'silence');
  proxy.resume();
  assert.equal(await reply, 1);
});

test('a command that timed out in a stall runs when things go on', async (t) => {
  const { proxy, client, direct } = await opened(t, { commandTimeout: 20 });
  proxy.stall();
  await assert.rejects(client.incr('n'), /timed out/);
  assert.equal(await direct.get('n'), null);
  proxy.resume();
  await until(async () => (await direct.get('n')) === '1');
});

test('cut resets all connections, and clients may come again', async (t) => {
  const { proxy, client } = await opened(t);
  const other = await connected(t, proxy.port);
  const reset = new Promise<NodeJS.ErrnoException>((resolve) => client.once('error', resolve));
  assert.equal(proxy.cut(), 2);
  assert.equal((await reset).code, 'ECONNRESET');
  await until(async () => (await Promise.all([client.ping(), other.ping()]).catch(() => [])).length === 2);
  const { accepted, open, cutConnections } = proxy.stats();
  assert.deepEqual({ accepted, open, cutConnections }, { accepted: 4, open: 2, cutConnections: 2 });
});

test('refusing, it accepts nobody and keeps whom it has; afterwards it accepts on the same port', async (t) => {
  const { proxy, client } = await opened(t);
  await proxy.refuse(true);
  await assert.rejects(connected(t, proxy.port, { retryStrategy: () => null }));
  assert.equal(await client.ping(), 'PONG');
  assert.equal(proxy.stats().accepted, 1);
  await proxy.refuse(false);
  assert.equal(await (await connected(t, proxy.port)).ping(), 'PONG');
});

test('a reply that is dropped: its command has run once, replies before it come, the connection is reset', async (t) => {
  const { proxy, client, direct } = await opened(t);
  proxy.dropReplies({ every: 3 });
  const settled = await Promise.allSettled([client.incr('a'), client.incr('b'), client.incr('c')]);
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
  assert.deepEqual(await direct.mget('a', 'b', 'c'), ['1', '1', '1']);
  assert.equal(proxy.stats().droppedReplies, 1);
  proxy.dropReplies(undefined);
  await until(() => client.status === 'ready');
  for (let count = 2; count < 10; count += 1) assert.equal(await client.incr('c'), count);
  assert.equal(proxy.stats().droppedReplies, 1);
});

test('replies that latency holds back come before the reset of a reply that is dropped behind them', async (t) => {
  const { proxy, client } = await opened(t);
  proxy.latency(60);
  proxy.dropReplies({ every: 3 });
  const settled = await Promise.allSettled([client.incr('a'), client.incr('b'), client.incr('c')]);
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
});

test('of a large reply that is dropped not one byte comes', async (t) => {
  const { proxy, client, direct } = await opened(t);
  await direct.set('large', Buffer.alloc(3_000_000, 'x'));
  let bytesRead = 0;
  const stream = (client as unknown as { stream: NodeJS.ReadableStream }).stream;
  stream.on('data', (chunk: Buffer) => {
    bytesRead += chunk.length;
  });
  proxy.dropReplies({ every: 1 });
  await assert.rejects(client.get('large'));
  assert.equal(bytesRead, 0);
});

test('dropped with a probability: as many as that, the same ones for the same seed, and every command has run', async (t) => {
  const outcomes: string[] = [];
  for (let run = 0; run < 2; run += 1) {
    const { proxy, client, direct } = await opened(t);
    proxy.dropReplies({ probability: 0.1, random: seededRandom(7) });
    let outcome = '';
    for (let count = 0; count < 300; count += 1) {
      outcome += await client.incr('n').then(
        () => '.',
        () => 'x',
      );
      await until(() => client.status === 'ready');
    }
    const lost = outcome.split('x').length - 1;
    assert.equal(await direct.get('n'), '300');
    // Handshakes of the connections that came after a reset lose their replies too.
    const { droppedReplies, replies } = proxy.stats();
    assert.ok(droppedReplies >= lost && droppedReplies < replies / 5, `${droppedReplies} of ${replies}`);
    assert.ok(lost > 10 && lost < 60, `${lost}`);
    outcomes.push(outcome);
  }
  assert.equal(outcomes[0], outcomes[1]);
});

test('a byte at a time, the client reads single bytes and understands them', async (t) => {
  const { proxy, client } = await opened(t);
  const sizes: number[] = [];
  const stream = (client as unknown as { stream: NodeJS.ReadableStream }).stream;
  stream.on('data', (chunk: Buffer) => sizes.push(chunk.length));
  proxy.oneByteAtATime(true);
  assert.equal(await client.set('text', 'größe'), 'OK');
  assert.equal(await client.get('text'), 'größe');
  const expected = Buffer.byteLength('+OK\r\n$7\r\ngröße\r\n');
  // The client understands a reply before its last byte has come.
  await until(() => sizes.reduce((sum, size) => sum + size, 0) === expected);
  assert.ok(sizes.length > expected / 2, `${sizes}`);
  proxy.oneByteAtATime(false);
  assert.equal(await client.ping(), 'PONG');
});

test('when Redis is not there, a connection is reset', async (t) => {
  const own = await startRedis();
  const proxy = await startChaosProxy(own.port);
  t.after(() => proxy.stop());
  const client = await connected(t, proxy.port);
  await own.stop();
  await assert.rejects(client.ping());
  await assert.rejects(connected(t, proxy.port, { retryStrategy: () => null }).then((other) => other.ping()));
  await until(() => proxy.stats().open === 0);
});

test('replies of every kind are told apart, wherever they are cut', () => {
  const replies = [
    '+OK\r\n',
    '-ERR no\r\n',
    ':42\r\n',
    '$5\r\na\r\nbc\r\n',
    '$0\r\n\r\n',
    '$-1\r\n',
    '*-1\r\n',
    '*0\r\n',
    '*3\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n+y\r\n',
    '%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n',
    '~2\r\n:1\r\n:2\r\n',
    '>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n',
    '|1\r\n+ttl\r\n:9\r\n$1\r\nv\r\n',
    '_\r\n',
    ',1.5\r\n',
    '#t\r\n',
    '=7\r\ntxt:a\r\n\r\n',
    '(123456789012345678901\r\n',
  ];
  const stream = Buffer.from(replies.join(''));
  for (let size = 1; size <= stream.length; size += 1) {
    const splitter = new ReplySplitter();
    const read: string[] = [];
    for (let at = 0; at < stream.length; at += size) {
      for (const { bytes, begins } of splitter.split(stream.subarray(at, at + size))) {
        if (begins) read.push('');
        read[read.length - 1] += bytes.toString();
      }
    }
    assert.deepEqual(read, replies, `in pieces of ${size}`);
  }
});
