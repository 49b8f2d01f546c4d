/**
 * Stands for the program in tests of `up` itself: roles that serve what a start asks of them and write down what
 * they saw at their end. STUB_FAULT lets gateways `die` before they are ready, or `hang` and never be.
 */
import { appendFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { announceReady, endInOrder } from '../../../src/roles/lifecycle.ts';

const env = process.env;
const role = process.argv[2] ?? '';
const note = (text: string) =>
  appendFileSync(env.STUB_NOTES ?? '/dev/null', `${role} ${process.pid} ${text}\n`);

note('started');
if (role === 'gateway') await gateway();
else if (role === 'worker') await worker();
else await simulator();

async function gateway(): Promise<void> {
  if (env.STUB_FAULT === 'die') {
    process.stderr.write('the stub dies as it was told\n');
    process.exit(3);
  }
  if (env.STUB_FAULT === 'hang') await pause(600_000);
  const redis = new Redis(env.REDIS_URL ?? '', { maxRetriesPerRequest: 0, enableOfflineQueue: false });
  redis.on('error', () => {});
  await new Promise((resolve) => redis.once('ready', resolve));

  const publicServer = createServer(async (request, response) => {
    const key = request.headers.authorization?.slice('Bearer '.length) ?? '';
    response.statusCode = (await redis.sismember('keys', key)) ? 200 : 401;
    response.end(JSON.stringify({ data: [{ id: 'stub-model' }] }));
  });
  const adminServer = createServer(async (request, response) => {
    const key = `slc_${process.pid}_${Date.now()}`;
    const allowed = request.headers.authorization === `Bearer ${env.SLUICE_ADMIN_TOKEN}`;
    if (allowed) await redis.sadd('keys', key);
    response.statusCode = allowed ? 201 : 401;
    response.end(JSON.stringify({ key }));
  });
  await listen(publicServer, Number(env.PORT));
  await listen(adminServer, Number(env.ADMIN_PORT));
  announceReady(role, {});
  endInOrder({
    drain: async (cause) => {
      note(`drains ${cause}`);
      await pause(Number(env.STUB_DRAIN_MS ?? 0));
      const simulator = await fetch(env.UPSTREAM_URL ?? '').then(
        () => 'there',
        () => 'gone',
      );
      note(`drained redis=${await redis.ping().catch(() => 'gone')} simulator=${simulator}`);
    },
  });
}

async function worker(): Promise<void> {
  await listen(
    createServer((_request, response) => response.end()),
    Number(env.ADMIN_PORT),
  );
  announceReady(role, {});
  endInOrder({ drain: async (cause) => note(`drains ${cause}`) });
}

async function simulator(): Promise<void> {
  const port = process.argv[process.argv.indexOf('--port') + 1];
  await listen(
    createServer((_request, response) => response.end()),
    Number(port),
  );
  announceReady(role, {});
  endInOrder({ drain: async (cause) => note(`drains ${cause}`) });
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve) =>
    server.listen({ port, host: '127.0.0.1', reusePort: env.SLUICE_REUSE_PORT === '1' }, resolve),
  );
}
