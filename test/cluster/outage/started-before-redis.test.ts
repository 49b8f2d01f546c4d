/** D6: the replicas are there before Redis is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { freePort, startRedis } from '../../support/redis.ts';
import { bounded, isLong, openGround, TOLERANCE } from './support/ground.ts';
import { pause } from './support/load.ts';

const REPLICAS = 2;
const ALONE_MS = isLong ? 8_000 : 1_000;
const READY_MS = 3_000;

async function statusOf(port: number, path: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.status ?? 0;
}

test(
  'replicas that start before Redis live, are not ready, and are ready within seconds after it has come',
  bounded,
  async (t) => {
    const redisPort = await freePort();
    const publicPorts = await Promise.all(Array.from({ length: REPLICAS }, freePort));
    const adminPorts = await Promise.all(Array.from({ length: REPLICAS }, freePort));
    const statuses = (ports: readonly number[], path: string) =>
      Promise.all(ports.map((port) => statusOf(port, path)));
    const opening = openGround(t, {
      replicas: REPLICAS,
      redisUrl: () => `redis://127.0.0.1:${redisPort}`,
      env: (replica) => ({ PORT: String(publicPorts[replica]), ADMIN_PORT: String(adminPorts[replica]) }),
    });
    await until(
      async () => (await statuses(adminPorts, '/live')).every((status) => status === 200),
      'both to live',
    );
    await until(
      async () => (await statuses(publicPorts, '/health')).every((status) => status === 200),
      'both to listen',
    );
    const aloneUntilMs = performance.now() + ALONE_MS;
    do {
      assert.deepEqual(await statuses(adminPorts, '/live'), [200, 200]);
      assert.deepEqual(await statuses(adminPorts, '/ready'), [503, 503]);
      await pause(50);
    } while (performance.now() < aloneUntilMs);

    const redis = await startRedis({ port: redisPort });
    const thereAtMs = performance.now();
    t.after(() => redis.stop());
    await until(
      async () => (await statuses(adminPorts, '/ready')).every((status) => status === 200),
      'both to be ready',
      TOLERANCE * READY_MS,
    );
    t.diagnostic(`ready ${(performance.now() - thereAtMs).toFixed(0)} ms after Redis had come`);
    const ground = await opening;
    await ground.warm([await ground.caller('known')]);
  },
);
