/** `/` and `/health` say that the process lives, whatever is down behind it; `/ready` whether it can serve. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Ready } from '../../src/roles/lifecycle.ts';
import { startGateway, until } from '../support/gateway.ts';
import { freePort, startRedis } from '../support/redis.ts';
import { startUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { send } from './client.ts';

test('both are open, 200 and in shape, and tell the models apart', async () => {
  const upstream = await startUpstream(answerAsAsked);
  const gateway = await startGateway({
    makeKey: false,
    config: {
      upstreams: [
        { name: 'gpu', url: upstream.url },
        { name: 'gone', url: 'http://127.0.0.1:9' },
      ],
      models: [
        { name: 'well', upstreams: ['gpu'] },
        { name: 'half', upstreams: ['gone', 'gpu'] },
        { name: 'lost', upstreams: ['gone'] },
      ],
    },
  });
  const { timestamp, ...health } = await get(gateway.url, '/health');
  assert.deepEqual(health, {
    status: 'ok',
    gateway: 'ok',
    redis: 'ok',
    models: { well: 'healthy', half: 'healthy', lost: 'unreachable' },
  });
  assert.ok(Math.abs(Date.parse(String(timestamp)) - Date.now()) < 60_000);
  const { status, service, version, endpoints } = await get(gateway.url, '/');
  assert.deepEqual([status, service, typeof version], ['healthy', 'sluice', 'string']);
  const { chat, health: at } = endpoints as Record<string, string>;
  assert.deepEqual([chat, at], ['/v1/chat/completions', '/health']);

  await upstream.stop();
  await until(async () => {
    const { models } = await get(gateway.url, '/health');
    return Object.values(models as Record<string, string>).every((one) => one === 'unreachable');
  }, 'the probes to notice');
  assert.equal((await get(gateway.url, '/')).status, 'healthy');
  await gateway.stop();
});

test('a server that answers its probe with an error is unhealthy, one that has no such path is well', async () => {
  const upstream = await startUpstream((request, response) => {
    response.writeHead(request.url === '/sick/health' ? 503 : 404).end();
  });
  const gateway = await startGateway({
    makeKey: false,
    config: {
      upstreams: [
        { name: 'sick', url: `${upstream.url}/sick` },
        { name: 'plain', url: `${upstream.url}/plain` },
      ],
      models: [
        { name: 'sick', upstreams: ['sick'] },
        { name: 'plain', upstreams: ['plain'] },
      ],
    },
  });
  assert.deepEqual((await get(gateway.url, '/health')).models, { sick: 'unhealthy', plain: 'healthy' });
  await gateway.stop();
  await upstream.stop();
});

test('started before Redis: alive, not ready, and ready within 3 s of its coming', async (context) => {
  const port = await freePort();
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const child = fork(main, ['gateway'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: '0',
      SLUICE_SECRET: 'a-secret-for-tests-only-0123456789abcdef',
      REDIS_URL: `redis://127.0.0.1:${port}`,
    },
  });
  const [ready] = (await once(child, 'message')) as [Ready];
  const { public: url = '', admin = '' } = ready.listening;
  assert.equal((await send(admin, '/live', { method: 'GET' })).status, 200);
  const before = await send(admin, '/ready', { method: 'GET' });
  assert.deepEqual([before.status, JSON.parse(before.body.toString()).redis], [503, 'connecting']);
  assert.deepEqual([(await get(url, '/health')).redis], ['degraded']);

  const redis = await startRedis({ port });
  const startedAtMs = performance.now();
  await until(async () => (await send(admin, '/ready', { method: 'GET' })).status === 200, '/ready');
  const tookMs = performance.now() - startedAtMs;
  context.diagnostic(`ready ${tookMs.toFixed(0)} ms after Redis came`);
  assert.ok(tookMs < 3 * 3_000);

  await redis.stop();
  await until(async () => (await get(url, '/health')).redis === 'degraded', 'the loss to be noticed');
  assert.equal((await send(admin, '/ready', { method: 'GET' })).status, 200, 'a loss later does not show');
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
});

async function get(url: string, path: string): Promise<Record<string, unknown>> {
  const reply = await send(url, path, { method: 'GET' });
  assert.equal(reply.status, 200);
  assert.match(String(reply.headers['content-type']), /^application\/json/);
  return JSON.parse(reply.body.toString()) as Record<string, unknown>;
}
