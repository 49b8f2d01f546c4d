/** The bound on attempts holds for whatever pattern of requests, pauses, retries and failures. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryBudget } from '../../../src/upstream/retry-budget.ts';
import { pick, type Random, seeded } from '../support/splits.ts';

const SEEDS = 200;
const STEPS = 300;
/** What came longer ago than this pays for nothing, but for what was saved. */
const WINDOW_MS = 11_000;
const SAVED_RETRIES_MAX = 10;

interface Moment {
  readonly atMs: number;
  /** So many until then. */
  readonly requests: number;
  readonly retries: number;
}

/** Always takes all it can get: the worst that can happen to the servers. */
function greedyRun(random: Random): Moment[] {
  let nowMs = random() * 100_000;
  const budget = new RetryBudget(() => nowMs);
  const moments: Moment[] = [];
  let requests = 0;
  let retries = 0;
  const pauseMsMax = pick(random, [10, 500, 3_000, 30_000]);
  const burstMax = pick(random, [1, 3, 40]);
  for (let step = 0; step < STEPS; step += 1) {
    if (random() < 0.5) nowMs += random() * pauseMsMax;
    const burst = random() < 0.6 ? Math.ceil(random() * burstMax) : 0;
    for (let request = 0; request < burst; request += 1) budget.request();
    requests += burst;
    const hasPatience = random() < 0.4;
    while (!hasPatience && budget.mayRetry()) {
      retries += 1;
      if (random() < 0.1) budget.retryFailed();
    }
    assert.ok(retries === 0 || requests + retries < 1.2 * requests, `${retries} to ${requests}`);
    moments.push({ atMs: nowMs, requests, retries });
  }
  return moments;
}

/** In any stretch of time: a fifth of its requests and of those of the window before it, and what was saved. */
function checkStretches(moments: readonly Moment[]): number {
  let longestRun = 0;
  for (const [from, begin] of moments.entries()) {
    let windowFrom = from;
    while (windowFrom > 0 && (moments[windowFrom - 1] as Moment).atMs >= begin.atMs - WINDOW_MS)
      windowFrom -= 1;
    const paidFrom = moments[windowFrom - 1]?.requests ?? 0;
    for (const end of moments.slice(from)) {
      const retries = end.retries - begin.retries;
      const bound = (end.requests - paidFrom) / 5 + SAVED_RETRIES_MAX;
      assert.ok(retries <= bound, `${retries} retries, at most ${bound}`);
      longestRun = Math.max(longestRun, retries);
    }
  }
  return longestRun;
}

test('two hundred random patterns', (t) => {
  let retries = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) retries += checkStretches(greedyRun(seeded(seed)));
  t.diagnostic(`${retries} retries`);
  assert.ok(retries > 10_000);
});
