import assert from 'node:assert/strict';
import type { RedisConnection } from '../../src/redis/connection.ts';

/** What a connection does by itself, and what the counting costs. */
const OF_THE_CONNECTION = /^(ping|info|hello|auth|select|role|command|client.*)$/;

/** How many commands the server has run for requests since it began, as it says itself. */
export async function redisCalls(connection: RedisConnection): Promise<number> {
  const info = await connection.ask((client) => client.info('commandstats'));
  assert.ok(info.ok);
  let sum = 0;
  for (const [, command = '', calls] of info.value.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (!OF_THE_CONNECTION.test(command)) sum += Number(calls);
  }
  return sum;
}
