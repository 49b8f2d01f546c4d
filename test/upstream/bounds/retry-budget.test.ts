/** Retries help where they can, at high rates and at low ones, and cease where they cannot. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryBudget } from '../../../src/upstream/retry-budget.ts';

class Pool {
  nowMs = 5_000;
  readonly budget = new RetryBudget(() => this.nowMs);

  /** Requests at an even pace; `each` follows every one. */
  serve(perSecond: number, seconds: number, each = () => {}): void {
    for (let request = 0; request < perSecond * seconds; request += 1) {
      this.nowMs += 1_000 / perSecond;
      this.budget.request();
      each();
    }
  }

  /** As many as are allowed at once. */
  retries(): number {
    let count = 0;
    while (this.budget.mayRetry()) count += 1;
    return count;
  }
}

test('from the first request on, attempts stay under 1.2 × the requests', () => {
  const pool = new Pool();
  const allowed = Array.from({ length: 11 }, () => {
    pool.budget.request();
    return pool.budget.mayRetry();
  });
  assert.deepEqual(
    allowed.flatMap((isAllowed, at) => (isAllowed ? [at + 1] : [])),
    [6, 11],
  );
});

test('one call in ten that fails is retried every time', () => {
  const pool = new Pool();
  pool.serve(100, 1);
  let request = 0;
  let refused = 0;
  pool.serve(100, 60, () => {
    request += 1;
    if (request % 10 === 0 && !pool.budget.mayRetry()) refused += 1;
  });
  assert.equal(refused, 0);
});

test('at 200 a second, all that came to one of three servers in three seconds can be moved at once', () => {
  const pool = new Pool();
  pool.serve(200, 10);
  assert.ok(pool.retries() >= 200);
});

test('a pool with one request a minute has saved a retry for when it needs one', () => {
  const pool = new Pool();
  pool.serve(1 / 60, 600);
  assert.equal(pool.budget.mayRetry(), true);
});

test('of a busy hour little is left after a pause', () => {
  const pool = new Pool();
  pool.serve(100, 3_600);
  pool.nowMs += 12_000;
  assert.equal(pool.retries(), 10);
  pool.nowMs += 3_600_000;
  assert.equal(pool.retries(), 0);
});

test('when all begin to fail after good times, three seconds later attempts are under 1.2 × the requests since', () => {
  const pool = new Pool();
  pool.serve(200, 60);
  let attempts = 0;
  let requests = 0;
  pool.serve(200, 3, () => {
    requests += 1;
    attempts += 1;
    if (!pool.budget.mayRetry()) return;
    attempts += 1;
    pool.budget.retryFailed();
  });
  assert.ok(attempts < 1.2 * requests, `${attempts} attempts, ${requests} requests`);
  let retries = 0;
  pool.serve(200, 10, () => {
    if (!pool.budget.mayRetry()) return;
    retries += 1;
    pool.budget.retryFailed();
  });
  assert.ok(retries <= 80, `then ${retries} retries to 2000 requests`);
});

test('when all servers have come back, retries are allowed again within a second', () => {
  const pool = new Pool();
  pool.serve(200, 30, () => {
    if (pool.budget.mayRetry()) pool.budget.retryFailed();
  });
  pool.serve(200, 1);
  assert.ok(pool.retries() >= 30);
});

test('a clock that stands still or steps back takes nothing away', () => {
  const pool = new Pool();
  for (let request = 0; request < 50; request += 1) pool.budget.request();
  pool.nowMs -= 4_000;
  assert.equal(pool.retries(), 9);
});
