/**
 * The Lua scripts. Each is one atomic step inside one hash tag; its contract stands on top of its file.
 * ioredis sends EVALSHA, and the text again when the server has lost it (restart, SCRIPT FLUSH, failover).
 */
import { readFileSync } from 'node:fs';
import type { Redis, Result } from 'ioredis';

declare module 'ioredis' {
  interface RedisCommander<Context> {
    createKey(
      keyRecord: string,
      tenantRecord: string,
      keysOfTenant: string,
      keyJson: string,
      tenantJson: string,
      keyId: string,
      createdAtMs: number,
      channel: string,
      invalidation: string,
    ): Result<number, Context>;
    replaceRecord(
      record: string,
      revision: number,
      recordJson: string,
      channel: string,
      invalidation: string,
    ): Result<number, Context>;
  }
}

export function defineScripts(client: Redis): void {
  client.defineCommand('createKey', { numberOfKeys: 3, lua: text('create-key') });
  client.defineCommand('replaceRecord', { numberOfKeys: 1, lua: text('replace-record') });
}

function text(name: string): string {
  return readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8');
}
