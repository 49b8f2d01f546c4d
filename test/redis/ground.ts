/** What the tests of connections share. */
import type { TestContext } from 'node:test';
import { type Config, type ConfigInput, configSchema } from '../../src/config/schema.ts';
import { noCharge, type Settlement } from '../../src/core/ticket.ts';
import { type ConnectionObservers, connectRedis, type RedisConnection } from '../../src/redis/connection.ts';
import { type FoundTicket, ticketTable } from '../../src/redis/ticket-table.ts';
import { createLogger } from '../../src/telemetry/log.ts';

export function recordingLog() {
  const lines: string[] = [];
  return { lines, log: createLogger('info', {}, { write: (line: string) => void lines.push(line) }) };
}

export function redisConfig(url: string, more: ConfigInput['redis'] = {}): Config['redis'] {
  return configSchema.parse({ secret: 'a secret of at least 32 characters', redis: { url, ...more } }).redis;
}

export async function connected(
  t: TestContext,
  config: Config['redis'],
  observers: ConnectionObservers = {},
): Promise<RedisConnection> {
  const connection = connectRedis(config, recordingLog().log, observers);
  t.after(() => connection.close());
  await connection.reached();
  return connection;
}

const settlement: Settlement = {
  spent: { ...noCharge, requests: 1, inputTokens: 3 },
  cachedTokens: 0,
  status: 200,
  route: '/v1/chat/completions',
  requestId: 'request',
  durationMs: 1,
};

/** One call of a tenant from its admission to its end; undefined where Redis did not answer. */
export async function runTicket(
  connection: RedisConnection,
  tenant: string,
  number: number,
): Promise<FoundTicket | 'repeated' | undefined> {
  const table = ticketTable(connection);
  const call = { ticket: `ticket-${number}`, keyId: 'key_1', model: 'm' };
  const charge = { ...noCharge, requests: 1, inputTokens: 5 };
  const limits = { perMinute: undefined, burst: undefined };
  const scope = { name: 'tenant', requests: limits, tokens: limits, slots: 1_000, quotas: [] };
  const parts = { quota: true, rate: true, slot: true };
  const admitted = await table.admit(tenant, 0, 60_000, [
    { ...call, parts, charge, scopes: [scope, undefined, undefined, undefined] },
  ]);
  if (!admitted.ok || admitted.value === 'stale') return undefined;
  const batch = { replica: 'r1', number, callsKept: 0 };
  const settled = await table.settle(tenant, batch, [{ ...call, settlement }]);
  return settled.ok && typeof settled.value !== 'string' ? settled.value[0] : undefined;
}

export interface LightLoad {
  /** Settles when calls of every tenant have run without an error for so long; how long there were errors, in ms. */
  outage(begunMs: number, quietMs: number, limitMs: number): Promise<number>;
  readonly failures: number;
  readonly slowestMs: number;
  stop(): void;
}

const TENANTS = 12;

/** A call each few milliseconds, of tenants whose slots lie everywhere. */
export function lightLoad(connection: RedisConnection): LightLoad {
  let number = 0;
  let failures = 0;
  let slowestMs = 0;
  let lastFailureMs = 0;
  const timer = setInterval(async () => {
    number += 1;
    const begunMs = performance.now();
    const outcome = await runTicket(connection, `tenant-${number % TENANTS}`, number);
    slowestMs = Math.max(slowestMs, performance.now() - begunMs);
    if (outcome !== undefined) return;
    failures += 1;
    lastFailureMs = performance.now();
  }, 10);
  return {
    async outage(begunMs, quietMs, limitMs) {
      for (;;) {
        const now = performance.now();
        if (lastFailureMs > begunMs && now - lastFailureMs > quietMs) return lastFailureMs - begunMs;
        if (now - begunMs > limitMs) throw new Error(`errors for more than ${limitMs} ms, or none at all`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    get failures() {
      return failures;
    },
    get slowestMs() {
      return slowestMs;
    },
    stop: () => clearInterval(timer),
  };
}

/** Notes each time that the subscription stands, and what it hears. */
export function listen(connection: RedisConnection, channel: string) {
  const heard: string[] = [];
  let times = 0;
  const subscription = connection.subscribe(channel, {
    subscribed: () => {
      times += 1;
    },
    received: (message) => void heard.push(message),
  });
  return {
    heard,
    get times() {
      return times;
    },
    close: () => subscription.close(),
  };
}
