/** What the tests of payloads share. */
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { Redis } from 'ioredis';
import type { Answer, RedisConnection } from '../../../src/redis/connection.ts';
import { type PayloadBounds, type PayloadTable, payloadTable } from '../../../src/redis/payload-table.ts';
import { connected, redisConfig } from '../ground.ts';

export const HOUR_MS = 3_600_000;
export const BODY_MAX = 20_000_000;

export interface Ground {
  readonly connection: RedisConnection;
  readonly table: PayloadTable;
  /** Asks Redis past the table. */
  raw<T>(commands: (client: Redis) => Promise<T>): Promise<T>;
}

export async function payloadGround(
  t: TestContext,
  url: string,
  bounds: Partial<PayloadBounds> = {},
): Promise<Ground> {
  const connection = await connected(t, redisConfig(url));
  const table = payloadTable(connection, { requestBytesMax: BODY_MAX, resultBytesMax: BODY_MAX, ...bounds });
  return {
    connection,
    table,
    raw: async (commands) => value(await connection.ask((client) => commands(client as Redis))),
  };
}

export function value<T>(answer: Answer<T>): T {
  if (!answer.ok) throw new Error(answer.failure.cause);
  return answer.value;
}

/** Half of it cannot be compressed. */
export function someBody(bytes: number): Buffer {
  const body = Buffer.alloc(bytes, 'the quick brown fox ');
  for (let at = 0; at < bytes; at += 2_048) randomBytes(Math.min(1_024, bytes - at)).copy(body, at);
  return body;
}

export async function gathered(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}
