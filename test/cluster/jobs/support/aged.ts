/** Time that passes in a Redis without anybody waiting for it. */
import { Redis } from 'ioredis';
import { redisKeys } from '../../../../src/redis/keys.ts';

const keys = redisKeys('sluice');

export interface JobMemory {
  /** All that Redis says it needs for data, in bytes. */
  readonly bytes: number;
  /** Of jobs, in keys. */
  readonly requests: number;
  /** Requests, answers and records. */
  readonly all: number;
}

/** Whatever expires does so by that much earlier, and so does what the sweep takes out. */
export async function passTime(url: string, ms: number): Promise<void> {
  await withClient(url, async (client) => {
    for (const key of await client.keys(`${keys.jobRoot()}:*`)) {
      const leftMs = await client.pttl(key);
      if (leftMs > 0) await client.pexpire(key, Math.max(1, leftMs - ms));
    }
    for (const id of await client.zrange(keys.jobsDue(), 0, '-1')) {
      await client.zincrby(keys.jobsDue(), -ms, String(id));
    }
  });
}

export function jobMemory(url: string): Promise<JobMemory> {
  return withClient(url, async (client) => {
    const names = [keys.payload('*'), keys.result('*', 0).replace(/0$/, '*'), keys.job('*')];
    const found = await Promise.all(names.map((pattern) => client.keys(pattern)));
    const stats = await client.info('memory');
    return {
      bytes: Number(/^used_memory_dataset:(\d+)/m.exec(stats)?.[1]),
      requests: found[0]?.length ?? 0,
      all: found.flat().length,
    };
  });
}

async function withClient<T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { retryStrategy: null });
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}
