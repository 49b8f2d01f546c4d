import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { freePort, startRedis } from '../support/redis.ts';

function recordingLog() {
  const lines: string[] = [];
  return { lines, log: createLogger('info', {}, { write: (line: string) => void lines.push(line) }) };
}

function redisConfig(url: string) {
  return configSchema.parse({ secret: 'a secret of at least 32 characters', redis: { url } }).redis;
}

test('a replica that starts before Redis finds it within three seconds', async (t) => {
  const port = await freePort();
  const { lines, log } = recordingLog();
  const connection = connectRedis(redisConfig(`redis://127.0.0.1:${port}`), log);
  t.after(() => connection.close());
  assert.equal(connection.wasReached(), false);
  assert.equal((await connection.ask((client) => client.get('x'))).ok, false);

  const redis = await startRedis({ port });
  t.after(() => redis.stop());
  const begunMs = performance.now();
  await connection.reached();
  assert.ok(performance.now() - begunMs < 3_000);
  assert.ok(connection.wasReached());
  assert.deepEqual(await connection.ask((client) => client.get('x')), { ok: true, value: null });
  assert.ok(lines.length <= 2, lines.join(''));
});

test('a frozen Redis bounds each question, then costs nothing, and is found again by itself', async (t) => {
  const redis = await startRedis();
  const { lines, log } = recordingLog();
  const connection = connectRedis(redisConfig(redis.url), log);
  t.after(async () => {
    connection.close();
    await redis.stop();
  });
  await connection.reached();
  const changes: string[] = [];
  const degraded = Promise.withResolvers<void>();
  const recovered = Promise.withResolvers<void>();
  connection.onState((state) => {
    changes.push(state);
    if (state === 'degraded') degraded.resolve();
    else recovered.resolve();
  });

  redis.pause();
  let begunMs = performance.now();
  const first = await connection.ask((client) => client.incr('counted'));
  assert.equal(first.ok, false);
  assert.ok(performance.now() - begunMs < 750);
  await degraded.promise;
  begunMs = performance.now();
  for (let round = 0; round < 1_000; round += 1) {
    assert.equal((await connection.ask((client) => client.incr('counted'))).ok, false);
  }
  assert.ok(performance.now() - begunMs < 500);

  redis.resume();
  await recovered.promise;
  const counted = await connection.ask((client) => client.get('counted'));
  assert.ok(counted.ok);
  assert.ok(Number(counted.value) <= 1, 'a command runs once at most');
  assert.deepEqual(changes, ['degraded', 'ok']);
  assert.equal(lines.length, 3, lines.join(''));
});

test('a question whose connection breaks fails at once and is not asked again', async (t) => {
  const redis = await startRedis();
  const { log } = recordingLog();
  const connection = connectRedis(redisConfig(redis.url), log);
  t.after(() => connection.close());
  await connection.reached();
  redis.pause();
  const waiting = connection.ask((client) => client.incr('counted'));
  process.kill(redis.pid, 'SIGKILL');
  const answer = await waiting;
  assert.equal(answer.ok, false);
  await redis.stop();
  const begunMs = performance.now();
  assert.equal((await connection.ask((client) => client.get('x'))).ok, false);
  assert.ok(performance.now() - begunMs < 200);
});

test('what is a mistake of ours is thrown and not taken for a lost Redis', async (t) => {
  const redis = await startRedis();
  const { log } = recordingLog();
  const connection = connectRedis(redisConfig(redis.url), log);
  t.after(async () => {
    connection.close();
    await redis.stop();
  });
  await connection.reached();
  await connection.ask((client) => client.set('text', 'x'));
  await assert.rejects(
    connection.ask((client) => client.smembers('text')),
    /WRONGTYPE/,
  );
  assert.equal(connection.state(), 'ok');
});

test('addresses that are not supported yet are refused with a clear word and without the password', () => {
  const { log } = recordingLog();
  for (const url of [
    'redis+sentinel://a:26379/main',
    'redis+cluster://a:1,b:2',
    'rediss+cluster://:hush@a:1',
  ]) {
    assert.throws(
      () => connectRedis(redisConfig(url), log),
      (error: Error) => /is not supported yet/.test(error.message) && !error.message.includes('hush'),
    );
  }
});
