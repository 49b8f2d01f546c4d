/** Which tenants have tickets, and whose turn it is to look after them. */
import type { Answer, RedisConnection } from './connection.ts';

export interface SweepTable {
  /** This tenant has, or is about to have, tickets. */
  note(tenant: string): Promise<Answer<unknown>>;
  /** Whether this replica is the one to sweep; nobody else is for so long. */
  claim(replica: string, forMs: number): Promise<Answer<boolean>>;
  /** A page of them; the cursor is `0` at both ends. */
  activeTenants(
    cursor: string,
    count: number,
  ): Promise<Answer<{ readonly tenants: readonly string[]; readonly cursor: string }>>;
  /** Those that nobody has noted for so long. */
  forgetSilent(silentMs: number): Promise<Answer<unknown>>;
}

export function sweepTable({ ask, keys }: RedisConnection): SweepTable {
  return {
    note: (tenant) => ask((client) => client.noteTenant(keys.activeTenants(), tenant), 'sweep'),

    claim: (replica, forMs) =>
      ask(
        async (client) => (await client.set(keys.sweeping(), replica, 'PX', forMs, 'NX')) === 'OK',
        'sweep',
      ),

    activeTenants: (cursor, count) =>
      ask(async (client) => {
        const [next, members] = await client.zscan(keys.activeTenants(), cursor, 'COUNT', count);
        return { cursor: next, tenants: members.filter((_, index) => index % 2 === 0) };
      }, 'sweep'),

    forgetSilent: (silentMs) =>
      ask(async (client) => {
        const [seconds] = await client.time();
        const silentSinceMs = Number(seconds) * 1_000 - silentMs;
        return client.zremrangebyscore(keys.activeTenants(), '-inf', silentSinceMs);
      }, 'sweep'),
  };
}
