/** The way of a backup to one of the servers: a connection of its own, so that nothing waits behind it. */
import { Cluster, type Redis } from 'ioredis';
import type { Config } from '../../config/schema.ts';
import { type RedisClient, redisAccess } from '../options.ts';
import { defineScripts } from '../scripts.ts';

/** A step of so many takes the server a tenth of a millisecond. */
const NAMES_AT_ONCE = 256;
/** Nobody waits for an answer of these commands, and a busy server may take its time. */
const COMMAND_TIMEOUT_MS = 10_000;

/**
 * Connects once and does not come back: a copy of two moments would be none.
 * @throws why the server cannot be reached; settles within a few seconds
 */
export async function connectForBackup(config: Config['redis']): Promise<RedisClient> {
  const client = redisAccess({ ...config, command_timeout_ms: COMMAND_TIMEOUT_MS }).open();
  // What a command meets is reported where it is asked.
  client.on('error', () => undefined);
  defineScripts(client);
  try {
    await client.connect();
    for (const node of primariesOf(client)) if (node.status === 'wait') await node.connect();
    return client;
  } catch (error) {
    client.disconnect();
    throw error;
  }
}

/** Those that hold a part of the data each. */
export function primariesOf(client: RedisClient): readonly Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client];
}

/** Names of all keys that begin so; one may come twice. @param onStep told after each step how many keys it has passed */
export async function* namesOf(
  client: RedisClient,
  beginning: string,
  onStep: (passed: number) => void = () => undefined,
): AsyncGenerator<readonly string[]> {
  const pattern = `${beginning.replace(/[\\*?[\]]/g, '\\$&')}*`;
  for (const node of primariesOf(client)) {
    let cursor = '0';
    do {
      const [next, names] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', NAMES_AT_ONCE);
      cursor = next;
      onStep(NAMES_AT_ONCE);
      if (names.length > 0) yield names;
    } while (cursor !== '0');
  }
}
