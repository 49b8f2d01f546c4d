/**
 * Books on a private Redis, written by the real ticket scripts at times of the test's choosing, beside a ledger
 * that adds up the same calls in plain numbers.
 */
import fastify from 'fastify';
import { Redis } from 'ioredis';
import { answerFaults } from '../../../src/admin/answers.ts';
import { demandRole, Gate } from '../../../src/admin/authorization.ts';
import { usageRoutes } from '../../../src/admin/usage.ts';
import { compileZod } from '../../../src/admin/validation.ts';
import { createUsageReader, type UsageReader } from '../../../src/admission/usage/usage-reader.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { connectRedis, type RedisConnection } from '../../../src/redis/connection.ts';
import { defineScripts } from '../../../src/redis/scripts.ts';
import { type Scope, type ScopeQuota, ticketTable } from '../../../src/redis/ticket-table.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';

export const DAY_MS = 86_400_000;
export const TOKEN = 'a-token-of-the-usage-tests';

const quiet = createLogger('silent', {}, { write: () => undefined });

export interface PlayedCall {
  readonly tenant?: string;
  readonly key: string;
  readonly model: string;
  readonly input?: number;
  readonly output?: number;
  readonly cached?: number;
  readonly images?: number;
  readonly gpuMs?: number;
  readonly costNano?: number;
  readonly durationMs?: number;
  readonly status?: number;
  /** Default: it ends as it should. */
  readonly end?: 'settled' | 'void' | 'lost';
  readonly quotas?: { readonly key?: readonly ScopeQuota[]; readonly tenant?: readonly ScopeQuota[] };
}

/** As the ledger keeps them: calls, errors, lost, input, output, cached, images, gpu ms, nano-dollars, ms. */
export type Ten = readonly number[];

export interface Books {
  readonly redis: TestRedis;
  readonly connection: RedisConnection;
  readonly client: Redis;
  readonly usage: UsageReader;
  /** Every booked call: when, of whom, how much. */
  readonly ledger: {
    readonly day: string;
    readonly tenant: string;
    readonly key: string;
    readonly model: string;
    readonly ten: Ten;
  }[];
  /** @param atMs when it is admitted by Redis' clock; not before an earlier one */
  play(atMs: number, call: PlayedCall): Promise<void>;
  /** The admin listener with the usage routes alone. */
  serve(): Promise<string>;
  stop(): Promise<void>;
}

export async function openBooks(commandTimeoutMs = 5_000): Promise<Books> {
  const redis = await startRedis();
  const config = configSchema.parse({
    secret: 'a secret of at least 32 characters',
    redis: { url: redis.url, command_timeout_ms: commandTimeoutMs },
  });
  const connection = connectRedis(config.redis, quiet);
  await connection.reached();
  const client = new Redis(redis.url);
  client.on('error', () => undefined);
  defineScripts(client, (lua) =>
    lua.replaceAll("redis.call('TIME')", "{ redis.call('GET', 'test:clock'), '0' }"),
  );
  const tickets = ticketTable({
    ...connection,
    ask: async (commands) => ({ ok: true, value: await commands(client) }),
  });
  const usage = createUsageReader({ redis: connection, now: Date.now });
  const app = fastify();
  const ledger: Books['ledger'] = [];
  let number = 0;

  return {
    redis,
    connection,
    client,
    usage,
    ledger,
    async play(atMs, call) {
      const { tenant = 'acme', key, model, end = 'settled', quotas = {} } = call;
      const { input = 0, output = 0, cached = 0, images = 0, gpuMs = 0, costNano = 0, durationMs = 0 } = call;
      number += 1;
      const ticket = `t${number}`;
      const spent = { requests: 1, inputTokens: input, outputTokens: output, images, gpuMs, costNano };
      // What is reserved differs from what is used, except where nobody will ever say what was used.
      const charge = end === 'lost' ? spent : { ...spent, inputTokens: input + 7, outputTokens: 1 };
      const scopes = [
        scopeOf('tenant', quotas.tenant),
        scopeOf(`key:${key}`, quotas.key),
        undefined,
        undefined,
      ] as const;
      const parts = { slot: true, rate: true, quota: true };
      await client.set('test:clock', Math.floor(atMs / 1_000));
      await tickets.admit(tenant, 0, 10_000, [{ ticket, keyId: key, model, scopes, parts, charge }]);
      if (end === 'lost') {
        await client.set('test:clock', Math.floor(atMs / 1_000) + 11);
        await tickets.sweep(tenant, 100);
      } else {
        const status = call.status ?? 200;
        const settlement = {
          spent,
          cachedTokens: cached,
          status,
          route: '/v1/chat/completions',
          requestId: ticket,
          durationMs,
        };
        const closing = { ticket, keyId: key, model, settlement: end === 'void' ? undefined : settlement };
        await tickets.settle(tenant, { replica: 'r', number, callsKept: 1_000 }, [closing]);
      }
      if (end === 'void') return;
      const isLost = end === 'lost';
      const ten = [1, (call.status ?? 200) >= 400 && !isLost ? 1 : 0, isLost ? 1 : 0, input, output];
      ten.push(isLost ? 0 : cached, images, gpuMs, costNano, isLost ? 0 : durationMs);
      ledger.push({ day: dayOf(atMs), tenant, key, model, ten });
    },
    async serve() {
      app.setValidatorCompiler(compileZod);
      app.setErrorHandler(answerFaults(quiet));
      app.register(
        async (scope) => {
          const keys = {
            check: async () => ({ ok: false, kind: 'wrong', reason: '', isGuess: true }) as const,
          };
          const gate = new Gate({ token: TOKEN, keys, log: quiet, now: Date.now });
          const journal = { refusedRole: () => undefined };
          scope.addHook('onRequest', demandRole({ gate, journal, log: quiet }));
          usageRoutes(scope, { usage });
        },
        { prefix: '/admin' },
      );
      return app.listen({ host: '127.0.0.1', port: 0 });
    },
    async stop() {
      await app.close();
      client.disconnect();
      connection.close();
      await redis.stop();
    },
  };
}

export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Noon, so many days ago: a test that runs over midnight sees the days that it has filled. */
export function noonAgo(days: number): number {
  return (Math.floor(Date.now() / DAY_MS) - days) * DAY_MS + DAY_MS / 2;
}

/** The ledger as rows of a report, sorted by their names. */
export function expectedRows(
  ledger: Books['ledger'],
  namesOf: (entry: Books['ledger'][number]) => Readonly<Record<string, string>>,
) {
  const groups = Map.groupBy(ledger, (entry) => JSON.stringify(namesOf(entry)));
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([names, entries]) => {
      const ten = entries
        .map((entry) => entry.ten)
        .reduce((sum, one) => sum.map((value, index) => value + (one[index] ?? 0)));
      return { ...JSON.parse(names), ...figures(ten) };
    });
}

export function figures(ten: Ten) {
  const [calls = 0, errors = 0, lost = 0, input_tokens = 0, output_tokens = 0, ...rest] = ten;
  const [cached_tokens = 0, images = 0, gpuMs = 0, cost_nano_usd = 0, durationMs = 0] = rest;
  return {
    ...{ calls, errors, lost, input_tokens, output_tokens, cached_tokens, images },
    gpu_seconds: gpuMs / 1_000,
    cost_usd: Math.round(cost_nano_usd / 1_000) / 1_000_000,
    cost_nano_usd,
    duration_seconds: durationMs / 1_000,
  };
}

function scopeOf(name: string, quotas: readonly ScopeQuota[] = []): Scope {
  const none = { perMinute: undefined, burst: undefined };
  return { name, requests: none, tokens: none, slots: undefined, quotas };
}
