/** A table of jobs on a Redis of its own, whose time is the test's. */
import type { TestContext } from 'node:test';
import { Redis } from 'ioredis';
import type { Answer, RedisClient } from '../../../src/redis/connection.ts';
import { type Acceptance, type JobTable, jobTable, type NewJob } from '../../../src/redis/job-table.ts';
import { redisKeys } from '../../../src/redis/keys.ts';
import { defineScripts } from '../../../src/redis/scripts.ts';
import { startRedis } from '../../support/redis.ts';

export const keys = redisKeys('sluice');
export const LINE = 'llama';
export const DAY_MS = 86_400_000;
export const BEGIN_MS = Date.UTC(2027, 0, 1);
export const bounds = { tenantJobsMax: 1e9, tenantBytesMax: 1e12, jobsMax: 1e9, bytesMax: 1e12 };
const CLOCK = 'test:clock';

export interface Ground {
  readonly client: Redis;
  readonly table: JobTable;
  /** Sets the clock that the scripts see. */
  setTime(ms: number): void;
  accept(id: string, more?: Partial<NewJob>, limits?: Partial<typeof bounds>): Promise<Acceptance>;
  /** Ids. */
  pick(count: number): Promise<readonly string[]>;
}

/** @param adapt breaks scripts, to see that somebody notices */
export async function openGround(
  t: TestContext,
  options: { readonly adapt?: (lua: string) => string; readonly extra?: readonly string[] } = {},
): Promise<Ground> {
  const { adapt = (lua) => lua, extra = [] } = options;
  const redis = await startRedis({ extra });
  const client = new Redis(redis.port);
  t.after(async () => {
    client.disconnect();
    await redis.stop();
  });
  defineScripts(client, (lua) => adapt(withTestClock(lua)));
  const ask = async <T>(commands: (client: RedisClient) => Promise<T>) => ({
    ok: true as const,
    value: await commands(client),
  });
  const table = jobTable({ ask, keys });
  // Commands of one connection run in their order, so nobody has to wait for this one.
  const setTime = (ms: number) => void client.set(CLOCK, ms).catch(() => undefined);
  setTime(BEGIN_MS);
  return {
    client,
    table,
    setTime,
    accept: async (id, more, limits) =>
      got(await table.accept(jobOf(id, more), { ...bounds, ...limits }, Number.MAX_SAFE_INTEGER)),
    pick: async (count) => got(await table.pick(LINE, count)).map(({ id }) => id),
  };
}

export function got<T>(answer: Answer<T>): T {
  if (!answer.ok) throw new Error(answer.failure.cause);
  return answer.value;
}

export function jobOf(id: string, more: Partial<NewJob> = {}): NewJob {
  return {
    ...{ id, tenant: 'acme', keyId: 'key_1', model: 'llama', line: LINE, via: 'async' },
    ...{
      priority: 5,
      cost: 1_000,
      weight: 1,
      bytes: 10,
      once: undefined,
      expiresInMs: DAY_MS,
      keptMs: DAY_MS,
    },
    ...more,
  };
}

export const asEstimated = { cost: undefined, usage: undefined };
export const completed = { status: 'completed' } as const;

/** Everything of the jobs that Redis holds, byte for byte. */
export async function snapshot(client: Redis): Promise<ReadonlyMap<string, string | undefined>> {
  const names = (await client.keys('*')).filter((name) => name !== CLOCK).sort();
  const dumps = await Promise.all(names.map((name) => client.dumpBuffer(name)));
  return new Map(names.map((name, index) => [name, dumps[index]?.toString('base64')]));
}

function withTestClock(lua: string): string {
  const clock = `(function()
    local ms = tonumber(redis.call('GET', '${CLOCK}'))
    return { math.floor(ms / 1000), ms % 1000 * 1000 }
  end)()`;
  return lua.replace("redis.call('TIME')", clock);
}
