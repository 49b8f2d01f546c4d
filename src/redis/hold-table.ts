/** Jobs for whose answer a caller waits on his connection. What the codes mean stands on top of each script. */
import type { JobStatus } from '../core/job.ts';
import type { Answer, RedisConnection } from './connection.ts';

export type Abandoned = 'kept' | 'ended_unrun' | 'ended_running';

export interface HoldTable {
  /** Their callers are there. @returns for each whether it is still held; @param forMs until the next sign */
  hold(ids: readonly string[], forMs: number): Promise<Answer<readonly boolean[]>>;
  /** It goes on without its caller. @returns its status; undefined: there is no such job */
  promise(id: string): Promise<Answer<JobStatus | undefined>>;
  /** Ends those that nobody has held lately. */
  abandon(ids: readonly string[]): Promise<Answer<readonly Abandoned[]>>;
  /** For a client that asks for the same again because its connection was lost. @param digest of key and request */
  remember(digest: string, id: string, forMs: number): Promise<Answer<void>>;
  recall(digest: string): Promise<Answer<string | undefined>>;
}

const ABANDONED = ['kept', 'ended_unrun', 'ended_running'] as const;

export function holdTable({ ask, keys }: Pick<RedisConnection, 'ask' | 'keys'>): HoldTable {
  const root = keys.jobRoot();
  return {
    hold: (ids, forMs) =>
      ask(async (client) => (await client.holdJobs(root, forMs, ...ids)).map((one) => one === 1), 'jobs'),

    promise: (id) =>
      ask(async (client) => {
        const [, , status] = await client.promiseJob(root, id);
        return status === '' ? undefined : (status as JobStatus);
      }, 'jobs'),

    abandon: (ids) =>
      ask(async (client) => {
        const codes = await client.abandonJobs(root, ...ids);
        return codes.map((code) => ABANDONED[code] ?? 'kept');
      }, 'jobs'),

    remember: (digest, id, forMs) =>
      ask(async (client) => void (await client.set(keys.heldJob(digest), id, 'PX', forMs)), 'jobs'),

    recall: (digest) => ask(async (client) => (await client.get(keys.heldJob(digest))) ?? undefined, 'jobs'),
  };
}
