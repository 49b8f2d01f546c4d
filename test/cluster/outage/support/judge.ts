/** What must hold of a run with an outage in it. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { newKeyId, newSecret } from '../../../../src/admission/keys/key-format.ts';
import type { TestGateway } from '../../../support/gateway.ts';
import { until } from '../../../support/gateway.ts';
import { RedisBooks } from '../../support/books.ts';
import { outstandingFaults } from '../../support/checker.ts';
import { type Ground, TENANT, TOLERANCE } from './ground.ts';
import { type Call, pause, slowestMs, summaryOf } from './load.ts';

const REQUEST_MS = 1_000;
const SETTLED_MS = 30_000;
const READY_EVERY_MS = 100;
const ASKED_AGAIN_MS = 500;

/** A key that a replica knows gets an answer in time, and never a 5xx. */
export function servedThroughout(t: TestContext, calls: readonly Call[]): void {
  t.diagnostic(`known keys: ${summaryOf(calls)}; the slowest took ${slowestMs(calls).toFixed(0)} ms`);
  assert.deepEqual(
    calls
      .filter(({ status }) => status !== 200 && status !== 429)
      .map(({ id, name, replica, status, code }) => ({ id, name, replica, status, code })),
    [],
  );
  inTime(calls);
}

export function inTime(calls: readonly Call[]): void {
  const ms = slowestMs(calls);
  assert.ok(ms <= TOLERANCE * REQUEST_MS, `a request took ${ms} ms`);
}

/** Only a key that this replica has not seen may be told that it cannot be checked. */
export function refusedAsUnavailable(calls: readonly Call[]): void {
  assert.ok(calls.length > 0);
  for (const { id, status, code } of calls)
    assert.deepEqual({ id, status, code }, { id, status: 503, code: 'store_unavailable' });
}

/**
 * Waits until nothing is under way, then compares: what the GPU server has done, what the callers got, and what the
 * tenant is charged, call by call and in sum.
 */
export async function chargedIsAdmitted(t: TestContext, ground: Ground, redisUrl: string): Promise<void> {
  const books = await settledBooks(t, ground, redisUrl);
  const admitted = ground.load.calls.filter(({ status }) => status === 200);
  const served = await ground.served();
  const lines = new Map(books.lines.map((line) => [line.request_id, line]));
  t.diagnostic(
    `admitted ${admitted.length}, served ${served.calls}, charged ${books.ofKeys.calls}, ${books.ofKeys.lost} lost`,
  );
  assert.equal(served.calls, admitted.length);
  assert.equal(lines.size, books.lines.length, 'a call was booked twice');
  assert.deepEqual(
    admitted.filter(({ id }) => !lines.has(id)).map(({ id }) => id),
    [],
    'not booked',
  );
  for (const sums of [books.ofKeys, books.ofMonth, books.ofTenant]) {
    assert.deepEqual(sums, { ...served, errors: 0, lost: 0 });
  }
}

/**
 * The same where Redis has lost what it knew before: each call sent since then is charged once.
 * @param sinceMs `performance.now()`
 */
export async function chargedSince(
  t: TestContext,
  ground: Ground,
  redisUrl: string,
  sinceMs: number,
): Promise<void> {
  const { lines } = await settledBooks(t, ground, redisUrl);
  const booked = new Set(lines.map(({ request_id }) => request_id));
  assert.equal(booked.size, lines.length, 'a call was booked twice');
  const admitted = ground.load.calls.filter(({ status, sentAtMs }) => status === 200 && sentAtMs >= sinceMs);
  t.diagnostic(`${admitted.length} admitted since, ${booked.size} charged in all`);
  assert.deepEqual(
    admitted.filter(({ id }) => !booked.has(id)),
    [],
    'not booked',
  );
}

export async function settledBooks(t: TestContext, { gateways }: Pick<Ground, 'gateways'>, redisUrl: string) {
  const beganMs = performance.now();
  for (const gateway of gateways) await nothingWaits(gateway);
  const redis = new RedisBooks(redisUrl);
  try {
    let faults: string[] = [];
    const isClear = async () => {
      faults = outstandingFaults(await redis.outstanding(TENANT));
      return faults.length === 0;
    };
    await until(isClear, 'tickets and slots to come back', SETTLED_MS).catch((error) => {
      throw new Error(`${error.message}: ${faults.join('; ')}`);
    });
    t.diagnostic(`nothing outstanding ${(performance.now() - beganMs).toFixed(0)} ms after the last answer`);
    return await redis.books(TENANT);
  } finally {
    redis.close();
  }
}

async function nothingWaits(gateway: TestGateway): Promise<void> {
  for (const name of ['sluice_tickets_open', 'sluice_settlements_waiting']) {
    await until(async () => (await gateway.metric(name)) === 0, `${name} to be 0`, SETTLED_MS);
  }
  const dropped = await gateway.metric('sluice_settlements_dropped_total');
  assert.ok(!(dropped > 0), `${dropped} settlements were dropped`);
}

/** Asks each replica, over and over, until told to end; then says what other answers than 200 there were. */
export function watchReady(
  t: TestContext,
  gateways: readonly TestGateway[],
): () => Promise<readonly number[]> {
  const others: number[] = [];
  let ended = false;
  const watch = async ({ adminUrl }: TestGateway) => {
    while (!ended) {
      const answer = await fetch(`${adminUrl}/ready`).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.status !== 200) others.push(answer?.status ?? 0);
      await pause(READY_EVERY_MS);
    }
  };
  const watching = Promise.all(gateways.map(watch));
  const end = () => {
    ended = true;
    return watching.then(() => others);
  };
  t.after(end);
  return end;
}

/** Milliseconds until Redis decides again on each replica. There has to be demand. */
export async function untilLimitsAreGlobal({ metrics }: Ground, limitMs: number): Promise<number> {
  const beganMs = performance.now();
  const decided = () => metrics('sluice_admissions_total{outcome="admitted",limit="none"}');
  const before = await decided();
  const grows = async () => (await decided()).every((count, replica) => count > (before[replica] ?? 0));
  await until(grows, 'Redis to decide on every replica', TOLERANCE * limitMs);
  return performance.now() - beganMs;
}

/** Milliseconds until every replica says of a key that nobody has that it does not exist. */
export async function untilUnknownIsRefused({ load }: Ground, limitMs: number): Promise<number> {
  const beganMs = performance.now();
  const isRefused = async () => {
    const calls = await load.everywhere({ name: 'after', key: newSecret(newKeyId()) });
    if (calls.every(({ status }) => status === 401)) return true;
    // An address may have only so many unknown keys looked up in a minute.
    await pause(ASKED_AGAIN_MS);
    return false;
  };
  await until(isRefused, 'an unknown key to be unknown', TOLERANCE * limitMs);
  return performance.now() - beganMs;
}
