import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { startRedis } from '../support/redis.ts';
import { connected, redisConfig } from './ground.ts';

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
  const connection = await connected(t, redisConfig(url, { command_timeout_ms: 5_000 }));
  t.after(() => redis.stop());

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

test('a script whose reply is lost has run once, and says so when it is asked again', async (t) => {
  const redis = await startRedis();
  const cutter = await openCutter(t, redis.port);
  const config = redisConfig(`redis://127.0.0.1:${cutter.port}`, { command_timeout_ms: 5_000 });
  const connection = await connected(t, config);
  t.after(() => redis.stop());
  const back = Promise.withResolvers<void>();
  connection.onReturn(() => back.resolve());

  const { keys } = connection;
  const closing = (number: number) =>
    connection.ask(
      (client) => client.settle(keys.root('acme'), JSON.stringify(unknownTicket(number))),
      'settle',
    );
  assert.deepEqual(await closing(1), { ok: true, value: [0] });
  cutter.cutNextReply();
  assert.equal((await closing(2)).ok, false);
  await back.promise;
  assert.deepEqual(await closing(2), { ok: true, value: [-1] }, 'it was applied');
  const day = new Date().toISOString().slice(0, 10);
  const calls = await connection.ask((client) => client.hget(keys.usage('acme', day, '*', '*'), 'c'));
  assert.deepEqual(calls, { ok: true, value: '2' });
});

/** A batch of one settlement of a call that was admitted elsewhere. */
function unknownTicket(number: number): (string | number)[] {
  const owner = ['key_1', 'm', '/v1/chat/completions', 0];
  const spent = [1, 3, 0, 0, 0, 0, 0];
  return ['r1', number, 0, 600_000, 1, ...owner, 1, `ticket-${number}`, 1, ...spent, 200, 1, 'request'];
}
