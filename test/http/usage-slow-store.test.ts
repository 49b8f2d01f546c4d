/** A Redis that answers every command in time, but slowly, does not make the holder of a key wait for their sum. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { assertRefused, bearer, send } from './client.ts';

const COMMAND_TIMEOUT_MS = 900;
const DELAY_MS = 500;

let redis: TestRedis;
let between: Server;
let gateway: TestGateway;
let delayMs = 0;

before(async () => {
  redis = await startRedis();
  between = createServer((near) => {
    const far = connect(redis.port, '127.0.0.1');
    near.pipe(far);
    far.on('data', (reply) => setTimeout(() => near.write(reply), delayMs));
    for (const socket of [near, far]) {
      socket.on('error', () => undefined);
      socket.on('close', () => near.destroy() && far.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(between, 'listening');
  const { port } = between.address() as AddressInfo;
  gateway = await startGateway({
    redis: { ...redis, url: `redis://127.0.0.1:${port}` },
    config: { redis: { command_timeout_ms: COMMAND_TIMEOUT_MS } },
  });
});

after(async () => {
  await gateway.stop();
  between.close();
  await redis.stop();
});

test('three steps of half a second are not waited for', async () => {
  const usage = () => send(gateway.url, '/v1/usage', { method: 'GET', headers: bearer(gateway.key) });
  assert.equal((await usage()).status, 200);
  delayMs = DELAY_MS;
  const reply = await usage();
  assertRefused(reply, 'store_unavailable');
  assert.ok(
    reply.tookMs >= COMMAND_TIMEOUT_MS - 50 && reply.tookMs < 2 * DELAY_MS + 400,
    `${reply.tookMs} ms`,
  );
});
