/** What it costs to know who calls: a key, a token that was seen before, and one that has to be verified. */
import { createAuthenticator } from '../../src/admission/authenticate.ts';
import type { TokenWay } from '../../src/admission/jwt/token-way.ts';
import { createKeyStore } from '../../src/admission/keys/key-store.ts';
import { configSchema } from '../../src/config/schema.ts';
import { connectRedis, type RedisConnection } from '../../src/redis/connection.ts';
import { createTokenWay } from '../../src/roles/tokens.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { AUDIENCE, signingKey, startIssuer, type TestIssuer } from '../admission/jwt/issuer.ts';
import { startRedis } from '../support/redis.ts';
import { costOfSignatures } from './signatures.ts';

export interface CostOfAuth {
  readonly what: string;
  readonly microseconds: number;
}

const REPEATS = 20_000;
const ROUNDS = 9;
/** Each is verified once. */
const FRESH_TOKENS = 1_000;
const ROUND_TOKENS = 50;
const ADDRESS = '192.0.2.1';
const algorithms = ['RS256', 'ES256', 'EdDSA'] as const;

const quiet = createLogger('silent', {}, { write: () => undefined });
const data = { isTrusted: () => true, isRevoked: () => false };

/** The fastest round: whatever else the machine does can only slow one down. */
function microsecondsOf(act: () => unknown): number {
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const beganMs = performance.now();
    for (let repeat = 0; repeat < REPEATS; repeat += 1) act();
    fastest = Math.min(fastest, (1_000 * (performance.now() - beganMs)) / REPEATS);
  }
  return fastest;
}

function requestWith(credential: string) {
  return { headers: { authorization: `Bearer ${credential}` }, call: { clientAddress: ADDRESS } };
}

async function costOfKey(redis: RedisConnection, config: ReturnType<typeof configOf>): Promise<CostOfAuth> {
  const authenticator = createAuthenticator({ redis, config, log: quiet, data });
  const store = createKeyStore({ redis, config, now: Date.now });
  const made = await store.create({ tenant: 'acme', name: 'bench', models: null, expires_at: null });
  if (!made.ok) throw new Error(made.refusal.message);
  const verdict = await authenticator.authenticate(made.secret, ADDRESS, Date.now());
  if (!verdict.ok) throw new Error(`a key is refused: ${verdict.refusal.reason}`);
  const microseconds = microsecondsOf(() => authenticator.authenticate(made.secret, ADDRESS, Date.now()));
  return { what: 'key, from memory', microseconds };
}

async function costOfTokens(way: TokenWay, issuer: TestIssuer): Promise<CostOfAuth[]> {
  const costs: CostOfAuth[] = [];
  for (const [index, algorithm] of algorithms.entries()) {
    const key = issuer.keys[index];
    const fresh = await Promise.all(
      Array.from({ length: FRESH_TOKENS }, (_, count) => issuer.token({ jti: String(count) }, {}, key)),
    );
    const requests = fresh.map(requestWith);
    const identify = async (request: (typeof requests)[number]) => {
      const verdict = await way.identify(request, Date.now());
      if (!verdict?.ok) throw new Error(`a token is refused: ${verdict?.refusal.reason}`);
    };
    // The key is imported, and the code compiled, with the first quarter.
    const warmUp = requests.splice(0, FRESH_TOKENS / 4);
    for (const request of warmUp) await identify(request);
    let microseconds = Number.POSITIVE_INFINITY;
    for (let at = 0; at < requests.length; at += ROUND_TOKENS) {
      const beganMs = performance.now();
      for (const request of requests.slice(at, at + ROUND_TOKENS)) await identify(request);
      microseconds = Math.min(microseconds, (1_000 * (performance.now() - beganMs)) / ROUND_TOKENS);
    }
    costs.push({ what: `token, ${algorithm}, verified`, microseconds });
    const [known = requestWith('')] = requests;
    const cached = microsecondsOf(() => way.identify(known, Date.now()));
    costs.push({ what: `token, ${algorithm}, seen before`, microseconds: cached });
  }
  return costs;
}

function configOf(redisUrl: string, issuer: TestIssuer) {
  return configSchema.parse({
    secret: 'a secret of at least 32 characters',
    redis: { url: redisUrl },
    keys: { cache_seconds: 300 },
    auth: {
      jwt: {
        issuers: [{ issuer: issuer.url, audience: AUDIENCE }],
        allowed_hosts: [new URL(issuer.url).host],
      },
    },
  });
}

async function measure(): Promise<CostOfAuth[]> {
  const [server, issuer] = await Promise.all([startRedis(), startIssuer()]);
  issuer.keys = await Promise.all(algorithms.map(signingKey));
  const config = configOf(server.url, issuer);
  const redis = connectRedis(config.redis, quiet);
  await redis.reached();
  const way = createTokenWay({ config, redis, data, log: quiet, onLookup: () => undefined }) as TokenWay;
  way.start();
  try {
    return [
      await costOfKey(redis, config),
      ...(await costOfTokens(way, issuer)),
      ...(await costOfSignatures(redis, config, data, quiet)),
    ];
  } finally {
    way.stop();
    redis.close();
    await Promise.all([server.stop(), issuer.stop()]);
  }
}

process.send?.(await measure());
process.on('disconnect', () => process.exit(0));
