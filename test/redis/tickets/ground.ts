/** A table of tickets on a Redis of its own, whose time is the test's. */
import type { TestContext } from 'node:test';
import { Redis } from 'ioredis';
import type { RedisClient } from '../../../src/redis/connection.ts';
import { redisKeys } from '../../../src/redis/keys.ts';
import { defineScripts } from '../../../src/redis/scripts.ts';
import {
  type Admitted,
  type Scope,
  type TicketRequest,
  type TicketTable,
  ticketTable,
} from '../../../src/redis/ticket-table.ts';
import { startRedis } from '../../support/redis.ts';

export const keys = redisKeys('sluice');
export const TENANT = 'acme';
const CLOCK = 'test:clock';

export interface Ground {
  readonly client: Redis;
  readonly table: TicketTable;
  /** Sets the clock that the scripts see. */
  setTime(ms: number): void;
}

/** @param adapt breaks scripts, to see that somebody notices */
export async function openGround(
  t: TestContext,
  options: { readonly adapt?: (lua: string) => string; readonly extra?: readonly string[] } = {},
): Promise<Ground> {
  const { adapt = (lua) => lua, extra = [] } = options;
  const redis = await startRedis({ extra });
  const client = new Redis(redis.port);
  t.after(async () => {
    client.disconnect();
    await redis.stop();
  });
  return groundOn(client, adapt);
}

export function groundOn(client: Redis, adapt: (lua: string) => string): Ground {
  defineScripts(client, (lua) => adapt(withTestClock(lua)));
  const ask = async <T>(commands: (client: RedisClient) => Promise<T>) => ({
    ok: true as const,
    value: await commands(client),
  });
  return {
    client,
    table: ticketTable({ ask, keys }),
    setTime(ms) {
      // Commands of one connection run in their order, so nobody has to wait for this one.
      client.set(CLOCK, ms).catch(() => undefined);
    },
  };
}

function withTestClock(lua: string): string {
  const clock = `(function()
    local ms = tonumber(redis.call('GET', '${CLOCK}'))
    return { math.floor(ms / 1000), ms % 1000 * 1000 }
  end)()`;
  return lua.replace("redis.call('TIME')", clock);
}

const unlimited = { perMinute: undefined, burst: undefined };

export function scopeOf(name: string, limits: Partial<Omit<Scope, 'name'>> = {}): Scope {
  return { name, requests: unlimited, tokens: unlimited, slots: undefined, quotas: [], ...limits };
}

export function pace(perMinute: number, burst: number = perMinute) {
  return { perMinute, burst };
}

export const allParts = { quota: true, rate: true, slot: true };
export const oneCall = { requests: 1, inputTokens: 0, outputTokens: 0, images: 0, gpuMs: 0, costNano: 0 };

/** A call of `k1` for the model `m1`, bound by what is given for its tenant and key. */
export function callOf(ticket: string, more: Partial<TicketRequest> & { tenant?: Scope; key?: Scope } = {}) {
  const { tenant, key, ...rest } = more;
  return {
    ...{ ticket, keyId: 'k1', model: 'm1', parts: allParts, charge: oneCall },
    scopes: [tenant, key, undefined, undefined] as TicketRequest['scopes'],
    ...rest,
  };
}

export function settlementOf(spent: Partial<typeof oneCall> = {}, more: { status?: number } = {}) {
  const whole = { ...oneCall, ...spent };
  return {
    spent: whole,
    cachedTokens: 0,
    status: 200,
    route: '/v1/x',
    requestId: 'r',
    durationMs: 5,
    ...more,
  };
}

export interface Steps extends Ground {
  /** @throws when the version is stale */
  admit(calls: readonly TicketRequest[], leaseMs?: number): Promise<Admitted>;
  code(call: TicketRequest, leaseMs?: number): Promise<number>;
  /** As batches of a replica, numbered one after the other. */
  settle(ticket: string, settlement?: ReturnType<typeof settlementOf>): Promise<string>;
  account(scope: string): Promise<Record<string, string>>;
}

export const LEASE_MS = 15_000;

/** The steps of one tenant, one at a time. */
export function stepsOf(ground: Ground): Steps {
  let number = 0;
  const admit = async (calls: readonly TicketRequest[], leaseMs = LEASE_MS) => {
    const answer = await ground.table.admit(TENANT, 0, leaseMs, calls);
    if (!answer.ok || answer.value === 'stale') throw new Error('not decided');
    return answer.value;
  };
  return {
    ...ground,
    admit,
    async code(call, leaseMs) {
      const { verdicts } = await admit([call], leaseMs);
      return verdicts[0]?.code ?? Number.NaN;
    },
    async settle(ticket, settlement) {
      number += 1;
      const batch = { replica: 'r1', number, callsKept: 0 };
      const closing = { ticket, keyId: 'k1', model: 'm1', settlement };
      const answer = await ground.table.settle(TENANT, batch, [closing]);
      return answer.ok && typeof answer.value !== 'string' ? (answer.value[0] ?? 'nothing') : 'repeated';
    },
    account: (scope) => ground.client.hgetall(keys.account(TENANT, scope)),
  };
}

/** Everything that Redis holds, byte for byte. */
export async function snapshot(client: Redis): Promise<ReadonlyMap<string, string | undefined>> {
  const names = (await client.keys('*')).filter((name) => name !== CLOCK).sort();
  const dumps = await Promise.all(names.map((name) => client.dumpBuffer(name)));
  return new Map(names.map((name, index) => [name, dumps[index]?.toString('base64')]));
}
