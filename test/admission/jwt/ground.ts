/** The way in of tokens on a private Redis, with a real issuer. */
import type { TestContext } from 'node:test';
import type { TokenWay } from '../../../src/admission/jwt/token-way.ts';
import { type ConfigInput, configSchema } from '../../../src/config/schema.ts';
import type { RedisConnection } from '../../../src/redis/connection.ts';
import { createTokenWay } from '../../../src/roles/tokens.ts';
import { must, openGround, quiet, told, wholeData } from '../ground.ts';
import { AUDIENCE, startIssuer, type TestIssuer } from './issuer.ts';

export type JwtInput = NonNullable<NonNullable<ConfigInput['auth']>['jwt']>;
type IssuerInput = JwtInput['issuers'][number];

/** @param more of its section, and of what is said of this issuer */
export function jwtOf(
  issuer: TestIssuer,
  more: { readonly section?: Partial<JwtInput>; readonly issuer?: Partial<IssuerInput> } = {},
): JwtInput {
  const { host } = new URL(issuer.url);
  return {
    issuers: [{ issuer: issuer.url, audience: AUDIENCE, ...more.issuer }],
    allowed_hosts: [host],
    ...more.section,
  };
}

/** The tenant `acme` exists. */
export async function openTokens(
  t: TestContext,
  more: Parameters<typeof jwtOf>[1] = {},
  rest: Partial<ConfigInput> = {},
) {
  const ground = await openGround(t);
  must(await ground.store.createTenant({ name: 'acme' }));
  const issuer = await startIssuer();
  t.after(() => issuer.stop());
  const config = configSchema.parse({
    secret: 'a secret of at least 32 characters',
    redis: { url: ground.redis.url },
    auth: { jwt: jwtOf(issuer, more) },
    ...rest,
  });
  const outcomes: string[] = [];
  const { redis, subscribed } = noticing(ground.connection);
  const way = createTokenWay({
    ...{ config, redis, data: wholeData, log: quiet },
    onLookup: (outcome) => outcomes.push(outcome),
  }) as TokenWay;
  way.start();
  await subscribed;
  t.after(() => way.stop());
  return { ...ground, issuer, config, way, outcomes, ask: (token: string) => askWay(way, token) };
}

/** What is in memory when it begins to listen is doubted, so a test begins after that. */
function noticing(connection: RedisConnection) {
  const { promise: subscribed, resolve } = Promise.withResolvers<void>();
  const redis: RedisConnection = {
    ...connection,
    subscribe: (channel, subscriber) =>
      connection.subscribe(channel, {
        received: subscriber.received,
        subscribed() {
          subscriber.subscribed();
          resolve();
        },
      }),
  };
  return { redis, subscribed };
}

/** `ok`, why not as the log would say it, or `no token`. */
export async function askWay(way: TokenWay, token: string, address = '192.0.2.1'): Promise<string> {
  const verdict = await way.identify(requestWith(token, address), Date.now());
  return verdict ? told(verdict) : 'no token';
}

export function requestWith(token: string, address = '192.0.2.1') {
  return { headers: { authorization: `Bearer ${token}` }, call: { clientAddress: address } };
}
