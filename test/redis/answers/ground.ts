/** Tables of stored answers on a Redis of their own. */
import type { TestContext } from 'node:test';
import { answerTable, type KeptAnswer } from '../../../src/redis/answer-table.ts';
import type { Answer, RedisClient } from '../../../src/redis/connection.ts';
import { type OnceBounds, type OnceEntry, onceTable } from '../../../src/redis/once-table.ts';
import { startRedis } from '../../support/redis.ts';
import { connected, redisConfig } from '../ground.ts';

export const TENANT = 'acme';
/** What the scripts count for an entry beside its body. */
export const ENTRY_BYTES = 512;

export async function openGround(t: TestContext) {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const connection = await connected(t, redisConfig(redis.url));
  const { keys } = connection;
  return {
    redis,
    keys,
    answers: answerTable(connection),
    once: (bounds: Partial<OnceBounds> = {}) => onceTable(connection, { ...generous, ...bounds }),
    ask: async <T>(commands: (client: RedisClient) => Promise<T>) => taken(await connection.ask(commands)),
    /** Every key that is there. */
    all: async () => taken(await connection.ask((client) => client.keys('*'))).toSorted(),
  };
}

const generous = {
  leaseMs: 60_000,
  lifetimeMs: 60_000,
  tenantEntriesMax: 1_000,
  tenantBytesMax: 1_000_000,
};

export function taken<T>(answer: Answer<T>): T {
  if (!answer.ok) throw new Error(answer.failure.cause);
  return answer.value;
}

export function answerOf(body: string | Buffer, more: Partial<KeptAnswer> = {}): KeptAnswer {
  return {
    status: 200,
    contentType: 'application/json',
    upstream: 'gpu-1',
    upstreamModel: '/models/größe',
    body: Buffer.from(body),
    ...more,
  };
}

export function entryOf(holder: string, more: Partial<OnceEntry> = {}): OnceEntry {
  return { tenant: TENANT, id: 'key', request: 'request', holder, ...more };
}

export const bounds = { lifetimeMs: 60_000, tenantBytesMax: 1_000_000 };
