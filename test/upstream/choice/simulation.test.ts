import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type AffinityBound, chooseByAffinity, usualBound } from '../../../src/upstream/choice/affinity.ts';
import { chooseOfTwo } from '../../../src/upstream/choice/power-of-two.ts';
import { HASH_START, hashText, mixBits } from '../../../src/upstream/choice/text-hash.ts';
import { seeded } from '../support/splits.ts';
import { type Choose, type Outcome, percentile, type Scene, simulate, type Turn } from './pool-simulation.ts';

const manyTexts: Scene = {
  servers: 6,
  turns: 20_000,
  arrivalsPerSecond: 25,
  systems: 200,
  cacheEntries: 100,
};
const oneText: Scene = { ...manyTexts, systems: 1 };
const quiet: Scene = { ...manyTexts, arrivalsPerSecond: 4 };
/** As in the paper, so that the bound binds from the first call on. */
const withoutFloor: AffinityBound = { factor: usualBound.factor, floor: 1 };

const byConversation = ({ system, conversation }: Turn) => hashOf(`${system}/${conversation}`);
const bySystem = ({ system }: Turn) => hashOf(String(system));

function hashOf(text: string): number {
  return mixBits(hashText(HASH_START, text, text.length));
}

const roundRobin = (): Choose => {
  let next = 0;
  return (servers) => servers[next++ % servers.length];
};
const ofOne = (): Choose => {
  const random = seeded(2);
  return (servers) => servers[Math.floor(random() * servers.length)];
};
const ofTwo = (): Choose => {
  const random = seeded(2);
  return (servers) => chooseOfTwo(servers, random);
};
const ofAll = (): Choose => (servers) =>
  servers.reduce((least, one) => (one.load() < least.load() ? one : least));
const affine =
  (bound: AffinityBound, hash = byConversation): Choose =>
  (servers, turn) =>
    chooseByAffinity(servers, hash(turn), bound);

function run(t: TestContext, name: string, scene: Scene, choose: Choose): Outcome {
  const outcome = simulate(scene, seeded(1), choose);
  const { hitRate, firstTokenMs, maxLoad } = outcome;
  const [p50, p99] = [0.5, 0.99].map((part) => percentile(firstTokenMs, part).toFixed(0));
  const hits = (100 * hitRate).toFixed(1);
  t.diagnostic(
    `${name}: ${hits} % cached, first token p50 ${p50} ms, p99 ${p99} ms, most at once ${maxLoad}`,
  );
  return outcome;
}

test('affinity finds at least one and a half times the cached tokens that least load finds, and answers sooner', (t) => {
  run(t, 'round robin', manyTexts, roundRobin());
  const least = run(t, 'least of two', manyTexts, ofTwo());
  const warm = run(t, 'affinity', manyTexts, affine(usualBound));
  assert.ok(warm.hitRate >= 1.5 * least.hitRate);
  assert.ok(percentile(warm.firstTokenMs, 0.5) < percentile(least.firstTokenMs, 0.5));
  assert.ok(percentile(warm.firstTokenMs, 0.99) < percentile(least.firstTokenMs, 0.99));
});

test('one system text for everyone still leaves each conversation its server', (t) => {
  const least = run(t, 'least of two', oneText, ofTwo());
  const shared = run(t, 'affinity by system text', oneText, affine(usualBound, bySystem));
  const own = run(t, 'affinity by conversation', oneText, affine(usualBound));
  assert.ok(own.hitRate >= 1.2 * least.hitRate);
  assert.ok(own.hitRate >= 1.2 * shared.hitRate);
});

test('the floor keeps conversations together where little is in flight', (t) => {
  const strict = run(t, 'affinity without floor', quiet, affine(withoutFloor));
  const warm = run(t, 'affinity with floor', quiet, affine(usualBound));
  assert.ok(warm.hitRate > strict.hitRate + 0.03);
});

for (const [name, scene, hash] of [
  ['many system texts', manyTexts, byConversation],
  ['the most popular texts by themselves', { ...manyTexts, systems: 5 }, bySystem],
  ['one text for everyone', oneText, bySystem],
  ['few calls', quiet, bySystem],
] as const) {
  test(`no server is given more than its bound: ${name}`, (t) => {
    let worst = 0;
    let worstWithFloor = 0;
    const watched = (bound: AffinityBound, over: (load: number, mean: number) => void): Choose => {
      const choose = affine(bound, hash);
      return (servers, turn) => {
        const chosen = choose(servers, turn);
        const total = servers.reduce((sum, server) => sum + server.load(), 0) + 1;
        over((chosen?.load() ?? Number.NaN) + 1, total / servers.length);
        return chosen;
      };
    };
    run(
      t,
      'without floor',
      scene,
      watched(withoutFloor, (load, mean) => {
        assert.ok(load <= 1.25 * mean + 1, `${load} with a mean of ${mean}`);
        worst = Math.max(worst, load / (1.25 * mean + 1));
      }),
    );
    run(
      t,
      'with floor',
      scene,
      watched(usualBound, (load, mean) => {
        assert.ok(load <= Math.max(usualBound.floor, 1.25 * mean + 1), `${load} with a mean of ${mean}`);
        worstWithFloor = Math.max(worstWithFloor, load / Math.max(usualBound.floor, 1.25 * mean + 1));
      }),
    );
    t.diagnostic(`most of the bound used: ${worst.toFixed(2)}, with floor ${worstWithFloor.toFixed(2)}`);
  });
}

test('two random choices fill no server much more than the least loaded of all would', (t) => {
  const one = run(t, 'one draw', manyTexts, ofOne());
  const two = run(t, 'least of two', manyTexts, ofTwo());
  const all = run(t, 'least of all', manyTexts, ofAll());
  assert.ok(two.maxLoad <= all.maxLoad + 3);
  assert.ok(two.maxLoad < 0.7 * one.maxLoad);
});
