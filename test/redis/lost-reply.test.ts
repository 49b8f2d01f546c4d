import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startRedis } from '../support/redis.ts';

/** Passes everything on, until it is told to cut the connection in place of the next reply. */
async function openCutter(t: TestContext, redisPort: number) {
  let cutNext = false;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const redis = connect(redisPort, '127.0.0.1');
    for (const socket of [client, redis]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.pipe(redis);
    client.on('close', () => redis.destroy());
    redis.on('data', (reply) => {
      if (cutNext) client.destroy();
      else client.write(reply);
      cutNext = false;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  return {
    port: address.port,
    cutNextReply() {
      cutNext = true;
    },
  };
}

test('a command whose reply is lost fails, and is not sent again', async (t) => {
  const redis = await startRedis();
  const cutter = await openCutter(t, redis.port);
  const url = `redis://127.0.0.1:${cutter.port}`;
  const config = configSchema.parse({
    secret: 'a secret of at least 32 characters',
    redis: { url, command_timeout_ms: 5_000 },
  });
  const connection = connectRedis(config.redis, createLogger('silent', {}, { write: () => undefined }));
  t.after(async () => {
    connection.close();
    await redis.stop();
  });
  await connection.reached();

  const back = Promise.withResolvers<void>();
  connection.onState((state) => {
    if (state === 'ok') back.resolve();
  });
  cutter.cutNextReply();
  const begunMs = performance.now();
  assert.equal((await connection.ask((client) => client.incr('counted'))).ok, false);
  assert.ok(performance.now() - begunMs < 1_000, 'at once, not after the command time-out');
  await back.promise;
  assert.deepEqual(await connection.ask((client) => client.get('counted')), { ok: true, value: '1' });
});
