/** The scripts of backups: what stands on top of each is its contract. */
import type { Result } from 'ioredis';

export type KeyMembers = (Buffer | (Buffer | Buffer[])[])[];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    readKeyBuffer(
      key: string,
      membersMax: number,
      isBody: 0 | 1,
    ): Result<[type: Buffer, expiresAtMs: number, isWhole: number, members: KeyMembers], Context>;
    readmitJobs(root: string, ...ids: string[]): Result<[waiting: number, over: number], Context>;
    readmitEvents(root: string, ...ids: string[]): Result<number, Context>;
  }
}

export const backupScripts = [
  { command: 'readKey', keys: 1, file: 'backup/read-key' },
  { command: 'readmitJobs', keys: 1, file: 'backup/readmit-jobs', shared: 'jobs/queue' },
  { command: 'readmitEvents', keys: 1, file: 'backup/readmit-events', shared: 'webhooks/outbox' },
] as const;
