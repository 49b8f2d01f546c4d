/** S4: keys that nobody has made, in numbers. */
import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { newKeyId, newSecret } from '../../../src/admission/keys/key-format.ts';
import { startRedis } from '../../support/redis.ts';
import { keys } from '../support/books.ts';
import { inLanes } from '../support/caller.ts';
import { bounded, isLong, openGround, TENANT } from './support/ground.ts';
import { servedThroughout } from './support/judge.ts';

/** Far below the number of keys. */
const REREADS_MAX = 10;
const REPLICAS = 2;
const LANES = 16;
const PER_SECOND = 50;
const MALFORMED = isLong ? 100_000 : 20_000;
const UNKNOWN = isLong ? 10_000 : 2_000;
const FAILED_PER_MINUTE = 20;

const SECRETS = keys.secret('');
/** What else is read of keys. */
const OTHERS = [keys.owner(''), keys.key(TENANT, ''), keys.foreignForms()];

/** Each look-up of a key, by the digest that was asked for; and what else was asked about keys. */
async function watchLookups(url: string) {
  const client = new Redis(url).on('error', () => undefined);
  const monitor = await client.monitor();
  const digests: string[] = [];
  const others: string[] = [];
  monitor.on('monitor', (_time: string, [, key = '']: string[]) => {
    if (key.startsWith(SECRETS)) digests.push(key);
    if (OTHERS.some((other) => key.startsWith(other))) others.push(key);
  });
  return {
    digests,
    others,
    close() {
      monitor.disconnect();
      client.disconnect();
    },
  };
}

/** A right key with one character wrong, one too few, or of a form that nobody has imported. */
function malformed(index: number): string {
  const right = newSecret(newKeyId());
  const kinds = [
    () => right.slice(0, -1) + (right.endsWith('0') ? '1' : '0'),
    () => right.slice(0, -1),
    () => `sk-${right.slice(4)}`,
    () => 'short',
    () => right.toLowerCase(),
  ] as const;
  return kinds[index % kinds.length]?.() ?? right;
}

test(
  'malformed keys never reach Redis, unknown ones hardly, and a known key is served all the while',
  bounded,
  async (t) => {
    const redis = await startRedis();
    const ground = await openGround(t, {
      replicas: REPLICAS,
      redisUrl: () => redis.url,
      config: () => ({
        keys: { failed_lookups_per_minute: FAILED_PER_MINUTE, cache_seconds: 300 },
        log: { level: 'warn' },
      }),
    });
    t.after(() => redis.stop());
    const agent = new Agent({ keepAlive: true, maxSockets: LANES });
    t.after(() => agent.destroy());
    const list = (key: string, replica: number) =>
      new Promise<number>((resolve, reject) => {
        const headers = { authorization: `Bearer ${key}` };
        get(`${ground.gateways[replica]?.url}/v1/models`, { agent, headers }, (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
        }).on('error', reject);
      });
    /** How many of each status. */
    const flood = async (count: number, keyOf: (index: number) => string) => {
      const statuses = new Map<number, number>();
      let sent = 0;
      await inLanes(LANES, () => {
        if (sent === count) return undefined;
        const index = sent++;
        return list(keyOf(index), index % REPLICAS).then((status) =>
          statuses.set(status, (statuses.get(status) ?? 0) + 1),
        );
      });
      return statuses;
    };
    const known = await ground.caller('known');
    await ground.warm([known]);
    const lookups = await watchLookups(redis.url);
    t.after(() => lookups.close());
    const end = ground.load.begin(PER_SECOND, [known]);

    const beganMs = performance.now();
    const ofMalformed = await flood(MALFORMED, malformed);
    t.diagnostic(
      `${MALFORMED} malformed keys in ${(performance.now() - beganMs).toFixed(0)} ms: ${[...ofMalformed]}; ${lookups.digests.length} look-ups`,
    );
    assert.deepEqual([...ofMalformed], [[401, MALFORMED]]);
    assert.equal(lookups.digests.length, 0);
    // A replica that was too busy to hear Redis for a moment reads the forms of keys anew when it is back.
    assert.ok(
      lookups.others.every((key) => key.endsWith(':forms')),
      `${lookups.others}`,
    );
    assert.ok(lookups.others.length <= REREADS_MAX, `${lookups.others.length} readings of the forms`);

    const ofUnknown = await flood(UNKNOWN, () => newSecret(newKeyId()));
    await end();
    t.diagnostic(`${UNKNOWN} unknown keys: ${[...ofUnknown]}; ${lookups.digests.length} look-ups`);
    assert.deepEqual([...ofUnknown.keys()].sort(), [401, 429]);
    assert.equal(lookups.digests.length, ofUnknown.get(401), 'only what was looked up was told to be wrong');
    // What is under way when the limit is reached still counts.
    assert.ok(
      lookups.digests.length <= REPLICAS * (FAILED_PER_MINUTE - 1 + LANES),
      `${lookups.digests.length} look-ups`,
    );
    servedThroughout(t, ground.load.of('known'));
    assert.ok(ground.load.of('known').every(({ status }) => status === 200));
  },
);
