/** D5: small accidents of a Redis that lives on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort, startRedis } from '../../support/redis.ts';
import { bounded, isLong, openGround } from './support/ground.ts';
import { chargedIsAdmitted, servedThroughout, untilLimitsAreGlobal, watchReady } from './support/judge.ts';
import { ask } from './support/killable-redis.ts';
import { pause, summaryOf } from './support/load.ts';

const PER_SECOND = 150;
const DURATION_MS = isLong ? 30_000 : 1_500;
const LIMITS_BACK_MS = 2_000;

type Command = readonly [string, ...string[]];

interface Accident {
  readonly name: string;
  readonly everyMs: number;
  /** Done in turn, over and over. */
  readonly commands: readonly Command[];
  /** Makes it good. */
  readonly last?: Command;
}

const accidents: readonly Accident[] = [
  { name: 'its scripts are flushed', everyMs: 20, commands: [['script', 'flush']] },
  { name: 'its clients are cut off', everyMs: 100, commands: [['client', 'kill', 'type', 'normal']] },
  {
    name: 'it is demoted in place and promoted again',
    everyMs: 500,
    commands: [
      ['replicaof', '127.0.0.1', String(await freePort())],
      ['replicaof', 'no', 'one'],
    ],
    last: ['replicaof', 'no', 'one'],
  },
];

for (const { name, everyMs, commands, last } of accidents) {
  test(`while ${name}, no call of a known key fails, and each is charged once`, bounded, async (t) => {
    const redis = await startRedis();
    const ground = await openGround(t, { replicas: 2, redisUrl: () => redis.url });
    t.after(() => redis.stop());
    const known = await ground.caller('known', {
      limits: { max_concurrent: 300, requests_per_minute: 100_000 },
    });
    const fresh = [];
    for (let count = 0; count < 3; count += 1) fresh.push(await ground.caller('fresh'));
    await ground.warm([known]);
    const notReady = watchReady(t, ground.gateways);
    const end = ground.load.begin(PER_SECOND, [known, known, known, ...fresh]);
    const endMs = performance.now() + DURATION_MS;
    for (let time = 0; performance.now() < endMs; time += 1) {
      await ask(redis.port, ...(commands[time % commands.length] as Command));
      await pause(everyMs);
    }
    if (last) await ask(redis.port, ...last);
    const backMs = await untilLimitsAreGlobal(ground, LIMITS_BACK_MS);
    await end();

    t.diagnostic(
      `${name}; Redis decided again after ${backMs.toFixed(0)} ms; new keys: ${summaryOf(ground.load.of('fresh'))}`,
    );
    assert.deepEqual(await notReady(), []);
    servedThroughout(t, ground.load.of('known'));
    assert.deepEqual(
      ground.load.of('fresh').filter(({ status }) => ![200, 503].includes(status)),
      [],
    );
    await chargedIsAdmitted(t, ground, redis.url);
  });
}
