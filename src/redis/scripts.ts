/**
 * The Lua scripts. Each is one atomic step inside one hash tag; its contract stands on top of its file.
 * ioredis sends EVALSHA, and the text again when the server has lost it (restart, SCRIPT FLUSH, failover).
 *
 * Redis knows no modules, so what the ticket scripts share is put in front of each of them.
 */
import { readFileSync } from 'node:fs';
import type { Cluster, Redis, Result } from 'ioredis';
import { backupScripts } from './backup/commands.ts';
import { jobScripts } from './job-commands.ts';
import { webhookScripts } from './webhook-commands.ts';

/** Of a stored answer. */
export type AnswerFields = [
  status: number,
  contentType: Buffer,
  upstream: Buffer,
  upstreamModel: Buffer,
  body: Buffer,
];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    createKey(
      keyRecord: string,
      tenantRecord: string,
      keysOfTenant: string,
      accountOfKey: string,
      keyJson: string,
      tenantJson: string,
      keyId: string,
      createdAtMs: number,
      channel: string,
      invalidation: string,
      usedInAll: string,
    ): Result<number, Context>;
    replaceRecord(
      record: string,
      meta: string,
      revision: number,
      recordJson: string,
      channel: string,
      invalidation: string,
    ): Result<number, Context>;
    writeAdmin(
      admins: string,
      id: string,
      revision: number,
      recordJson: string,
      countMax: number,
    ): Result<1 | 0 | -1, Context>;
    admit(root: string, batch: string): Result<number[], Context>;
    settle(root: string, batch: string): Result<number[], Context>;
    renew(root: string, leaseMs: number, ...tickets: string[]): Result<[number, number], Context>;
    suspend(root: string, leaseMs: number, ...tickets: string[]): Result<number, Context>;
    readSums(root: string, ...names: string[]): Result<(number | string)[], Context>;
    noteTenant(activeTenants: string, tenant: string): Result<number, Context>;
    sweep(root: string, countMax: number): Result<[number, number, number], Context>;
    heartbeat(
      replicas: string,
      id: string,
      report: string,
      keptMs: number,
    ): Result<[number, ...string[]], Context>;
    swapText(key: string, before: string, after: string): Result<number, Context>;
    dropText(key: string, before: string): Result<number, Context>;
    keepAnswer(
      root: string,
      digest: string,
      ...answer: (string | number | Buffer)[]
    ): Result<number, Context>;
    readAnswerBuffer(answer: string, ageMsMax: number): Result<[-1] | [number, ...AnswerFields], Context>;
    beginOnceBuffer(
      root: string,
      id: string,
      request: string,
      holder: string,
      ...bounds: number[]
    ): Result<[number, ...(number | Buffer)[]], Context>;
    renewOnce(
      root: string,
      id: string,
      request: string,
      holder: string,
      leaseMs: number,
    ): Result<number, Context>;
    finishOnce(
      root: string,
      id: string,
      request: string,
      holder: string,
      lifetimeMs: number,
      ...answer: (string | number | Buffer)[]
    ): Result<number, Context>;
    claimLoads(
      loads: string,
      keptMs: number,
      ...asked: (string | number)[]
    ): Result<[number, ...(string | number)[]], Context>;
  }
}

const scripts = [
  { command: 'createKey', keys: 4, file: 'create-key' },
  { command: 'replaceRecord', keys: 2, file: 'replace-record' },
  { command: 'writeAdmin', keys: 1, file: 'write-admin' },
  { command: 'admit', keys: 1, file: 'admit', shared: 'ticket' },
  { command: 'settle', keys: 1, file: 'settle', shared: 'ticket' },
  { command: 'renew', keys: 1, file: 'renew', shared: 'ticket' },
  { command: 'suspend', keys: 1, file: 'suspend', shared: 'ticket' },
  { command: 'readSums', keys: 1, file: 'read-sums' },
  { command: 'noteTenant', keys: 1, file: 'note-tenant' },
  { command: 'sweep', keys: 1, file: 'sweep', shared: 'ticket' },
  { command: 'heartbeat', keys: 1, file: 'heartbeat' },
  { command: 'swapText', keys: 1, file: 'swap-text' },
  { command: 'dropText', keys: 1, file: 'drop-text' },
  { command: 'keepAnswer', keys: 1, file: 'keep-answer', shared: 'answer-index' },
  { command: 'readAnswer', keys: 1, file: 'read-answer' },
  { command: 'beginOnce', keys: 1, file: 'begin-once', shared: 'answer-index' },
  { command: 'renewOnce', keys: 1, file: 'renew-once', shared: 'answer-index' },
  { command: 'finishOnce', keys: 1, file: 'finish-once', shared: 'answer-index' },
  { command: 'claimLoads', keys: 1, file: 'claim-loads' },
  ...jobScripts,
  ...webhookScripts,
  ...backupScripts,
] as const satisfies readonly {
  command: string;
  keys: number;
  file: string;
  shared?: string | readonly string[];
}[];

/** @param adapt for tests: changes the text of a script, such as where its clock comes from */
export function defineScripts(client: Redis | Cluster, adapt: (lua: string) => string = (lua) => lua): void {
  for (const { command, keys, file, ...rest } of scripts) {
    client.defineCommand(command, {
      numberOfKeys: keys,
      lua: adapt(scriptText(file, 'shared' in rest ? rest.shared : undefined)),
    });
  }
}

/** A line such as `#!lua flags=allow-oom` has to stay the first. */
function scriptText(file: string, shared: string | readonly string[] = []): string {
  const own = luaFile(file);
  const bodyAt = own.startsWith('#!') ? own.indexOf('\n') + 1 : 0;
  const before = [shared].flat().map((name) => `${luaFile(name)}\n`);
  return `${own.slice(0, bodyAt)}${before.join('')}${own.slice(bodyAt)}`;
}

function luaFile(name: string): string {
  return readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8');
}
