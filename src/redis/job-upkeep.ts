/** What workers and operators need to look after the queue as a whole. */
import type { Answer, RedisConnection } from './connection.ts';

/** Whose ticket is left over. */
export interface UnrunJob {
  /** As it lies in Redis. */
  readonly note: string;
  readonly id: string;
  readonly tenant: string;
  readonly keyId: string;
  readonly model: string;
}

export interface LineReading {
  readonly line: string;
  readonly waiting: number;
  /** Age of the one that has waited for longest; 0: none waits. */
  readonly oldestMs: number;
  /** In the workers' hands. */
  readonly handed: number;
  /** Tenants of whom nothing is picked because admission has refused one of their jobs. */
  readonly parkedTenants: number;
}

export interface QueueReading {
  /** Unfinished jobs, and the sum of their bytes. */
  readonly jobs: number;
  readonly bytes: number;
  /** When an operator has stopped the queue, by the clock of his replica; undefined: it goes on. */
  readonly drainedAtMs: number | undefined;
  readonly lines: readonly LineReading[];
}

export interface JobUpkeep {
  /** Costs little, however many jobs or tenants wait. @param more lines to look at beside those with unfinished jobs */
  read(more: readonly string[]): Promise<Answer<QueueReading>>;
  /** Whether this process is the one to sweep; nobody else is for so long. */
  claimSweep(forMs: number): Promise<Answer<boolean>>;
  /** The oldest of those that ended before they ran. */
  unrun(countMax: number): Promise<Answer<readonly UnrunJob[]>>;
  /** Their tickets are closed. */
  forgetUnrun(jobs: readonly UnrunJob[]): Promise<Answer<void>>;
  /** From now on nothing is picked. Stopping twice changes nothing. */
  drain(nowMs: number): Promise<Answer<void>>;
  resume(): Promise<Answer<void>>;
}

/** Names come from the configurations of all releases that run; more than this are none. */
const LINES_MAX = 1_000;

export function jobUpkeep({
  ask,
  durable,
  keys,
}: Pick<RedisConnection, 'ask' | 'durable' | 'keys'>): JobUpkeep {
  return {
    read: (more) =>
      ask(async (client) => {
        const [busy, [seconds = 0], totals, drainedAt] = await Promise.all([
          client.smembers(keys.jobLines()),
          client.time(),
          client.hmget(keys.jobMeta(), 'jobs', 'bytes'),
          client.get(keys.jobsDrained()),
        ]);
        const nowMs = Number(seconds) * 1_000;
        const names = [...new Set([...more, ...busy])].slice(0, LINES_MAX);
        const lines = await Promise.all(
          names.map(async (line) => {
            const queued = keys.jobLine('queued', line);
            const [waiting, oldest, handed, parkedTenants] = await Promise.all([
              client.zcard(queued),
              client.zrange(queued, 0, '0', 'WITHSCORES'),
              client.zcard(keys.jobLine('handed', line)),
              client.zcount(keys.jobLine('parked', line), nowMs, '+inf'),
            ]);
            const createdMs = Number(oldest.flat()[1] ?? nowMs);
            return { line, waiting, oldestMs: Math.max(0, nowMs - createdMs), handed, parkedTenants };
          }),
        );
        const [jobs, bytes] = totals.map((total) => Number(total ?? 0));
        return {
          jobs: jobs ?? 0,
          bytes: bytes ?? 0,
          drainedAtMs: drainedAt === null ? undefined : Number(drainedAt),
          lines,
        };
      }, 'jobs'),

    claimSweep: (forMs) =>
      ask(async (client) => (await client.set(keys.jobsSweeping(), '1', 'PX', forMs, 'NX')) === 'OK', 'jobs'),

    unrun: (countMax) =>
      ask(async (client) => {
        const members = await client.zrange(keys.unrunJobs(), 0, String(countMax - 1));
        return members.map((member) => readUnrun(String(member)));
      }, 'jobs'),

    forgetUnrun: (jobs) =>
      ask(async (client) => {
        if (jobs.length > 0) await client.zrem(keys.unrunJobs(), ...jobs.map(({ note }) => note));
      }, 'jobs'),

    drain: (nowMs) =>
      durable(async (client) => {
        await client.set(keys.jobsDrained(), Math.round(nowMs), 'NX');
      }, keys.jobsDrained()),
    resume: () => durable(async (client) => void (await client.del(keys.jobsDrained())), keys.jobsDrained()),
  };
}

function readUnrun(note: string): UnrunJob {
  const [id = '', tenant = '', keyId = '', model = ''] = JSON.parse(note) as readonly string[];
  return { note, id, tenant, keyId, model };
}
