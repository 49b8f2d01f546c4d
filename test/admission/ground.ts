/** A private Redis with a key store and any number of replicas' authenticators on it. */
import type { TestContext } from 'node:test';
import {
  type Authenticator,
  createAuthenticator,
  type LookupOutcome,
  type Verdict,
} from '../../src/admission/authenticate.ts';
import {
  createKeyStore,
  type IssuedKey,
  type KeyResult,
  type KeyStore,
} from '../../src/admission/keys/key-store.ts';
import { type Config, type ConfigInput, configSchema } from '../../src/config/schema.ts';
import { connectRedis, type RedisConnection } from '../../src/redis/connection.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

export const quiet = createLogger('silent', {}, { write: () => undefined });

/** Redis has all that it should have. */
export const wholeData = { isTrusted: () => true, isRevoked: () => false };

export interface Replica extends Authenticator {
  readonly outcomes: LookupOutcome[];
}

export interface Ground {
  readonly redis: TestRedis;
  readonly connection: RedisConnection;
  readonly store: KeyStore;
  /** A replica with a connection and a memory of its own, which listens when this settles. */
  replica(
    keys?: ConfigInput['keys'],
    wrap?: (connection: RedisConnection) => RedisConnection,
  ): Promise<Replica>;
  connect(): Promise<RedisConnection>;
}

type Given = Pick<ConfigInput, 'defaults' | 'tenants' | 'policies'>;

export function configFor(redis: TestRedis, keys: ConfigInput['keys'] = {}, given: Given = {}): Config {
  return configSchema.parse({
    secret: 'a secret of at least 32 characters',
    redis: { url: redis.url },
    keys,
    ...given,
  });
}

/** @param given for the store and all replicas */
export async function openGround(t: TestContext, given: Given = {}): Promise<Ground> {
  const redis = await startRedis();
  const closers: (() => unknown)[] = [];
  t.after(async () => {
    for (const close of closers) close();
    await redis.stop();
  });
  const connect = async () => {
    const connection = connectRedis(configFor(redis).redis, quiet);
    closers.push(() => connection.close());
    await connection.reached();
    return connection;
  };
  const connection = await connect();
  return {
    redis,
    connection,
    connect,
    store: createKeyStore({ redis: connection, config: configFor(redis, {}, given), now: Date.now }),
    async replica(keys = {}, wrap = (own) => own) {
      const outcomes: LookupOutcome[] = [];
      const subscribed = Promise.withResolvers<void>();
      const own = wrap(noticing(await connect(), subscribed.resolve));
      const parts = { redis: own, config: configFor(redis, keys, given), log: quiet, data: wholeData };
      const authenticator = createAuthenticator({ ...parts, onLookup: (outcome) => outcomes.push(outcome) });
      closers.push(() => authenticator.stop());
      authenticator.start();
      await subscribed.promise;
      return {
        outcomes,
        authenticate: (presented, address, nowMs) => authenticator.authenticate(presented, address, nowMs),
        authenticateAnew: (presented, address, nowMs) =>
          authenticator.authenticateAnew(presented, address, nowMs),
        uses: authenticator.uses,
        signers: authenticator.signers,
        start: () => authenticator.start(),
        stop: () => authenticator.stop(),
      };
    },
  };
}

function noticing(connection: RedisConnection, subscribed: () => void): RedisConnection {
  return {
    ...connection,
    subscribe: (channel, subscriber) =>
      connection.subscribe(channel, {
        received: subscriber.received,
        subscribed() {
          subscriber.subscribed();
          subscribed();
        },
      }),
  };
}

/** The value of a result that has to be a success. */
export function must<T>(result: KeyResult<T>): { readonly ok: true } & T {
  if (!result.ok) throw new Error(`${result.refusal.name}: ${result.refusal.message}`);
  return result;
}

export async function newKey(store: KeyStore, tenant = 'acme'): Promise<IssuedKey> {
  return must(await store.create({ tenant, name: 'web', models: null, expires_at: null }));
}

/** `ok`, or why not, as the log would say it. */
export async function ask(
  replica: Authenticator,
  key: string | undefined,
  nowMs = Date.now(),
): Promise<string> {
  return told(await replica.authenticate(key, '192.0.2.1', nowMs));
}

export function told(verdict: Verdict): string {
  return verdict.ok ? 'ok' : `${verdict.refusal.status} ${verdict.refusal.reason}`;
}

/** Waits for a condition, at most for `limitMs`; how long it took in milliseconds. */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = 3_000): Promise<number> {
  const begunMs = performance.now();
  while (!(await condition())) {
    if (performance.now() - begunMs > limitMs) throw new Error(`not within ${limitMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return performance.now() - begunMs;
}
