/** R1: tokens, which are reserved before and put right after the call. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Caller, inLanes, pause } from './support/caller.ts';
import { allowedUntilEnd, burstNeeded, overdrafts, type Span } from './support/checker.ts';
import { isLong, startCluster } from './support/gateways.ts';
import { type TraceEvent, traceTickets } from './support/trace.ts';

const RATE = 60_000;
const BURST = 2_000;
const MAX_TOKENS = 20;
/** With the two of the prompt. */
const REAL_TOKENS = 22;

test('any interval admits at most burst + rate × T + what was reserved when it began, and steady demand gets 99 %', async (t) => {
  const cluster = await startCluster({ replicas: 4 });
  t.after(() => cluster.stop());
  const limits = { tokens_per_minute: RATE, burst_tokens: BURST };
  const key = await cluster.createKey('hammered', { limits });
  const trace = await traceTickets(cluster.books, key.tenant);
  t.after(() => trace.stop());
  const caller = new Caller(cluster);
  const endMs = performance.now() + (isLong ? 120_000 : 8_000);
  await inLanes(12, () => {
    if (performance.now() >= endMs) return undefined;
    const sent = caller.call({ key, prompt: 'hello', maxTokens: MAX_TOKENS });
    return sent.then(({ status }) => pause(status === 200 ? 0 : 15));
  });
  caller.close();
  await cluster.untilNothingOutstanding(key.tenant, 10_000);
  await trace.caughtUp();

  const { spans, reservedBefore } = readAdmissions(trace.events);
  const needed = burstNeeded(spans, RATE, (atMs) => reservedBefore.get(atMs) ?? 0);
  const due = allowedUntilEnd(caller.history.calls, { perMinute: RATE, burst: BURST });
  const share = (caller.history.admitted().length * REAL_TOKENS) / due;
  t.diagnostic(`${caller.history.summary()}; ${(100 * share).toFixed(2)} % of what the limit allows`);
  t.diagnostic(`an honest bucket would need a burst of ${needed.toFixed(0)}; it has ${BURST}`);
  assert.ok(caller.history.admitted().every(({ usage }) => sum(usage) === REAL_TOKENS));
  assert.equal(spans.length, caller.history.admitted().length);
  assert.ok(needed <= BURST + 1, `a burst of ${needed}`);
  assert.ok(share >= 0.99, `${share} of what the limit allows`);
  assert.deepEqual(overdrafts(trace.events, `key:${key.id}`, { perMinute: RATE, burst: BURST }), []);
});

/** By Redis' clock: what was used, and what was reserved by others when each call was admitted. */
function readAdmissions(events: readonly TraceEvent[]) {
  const spans: Span[] = [];
  const reservedBefore = new Map<number, number>();
  const open = new Map<string, number>();
  let reserved = 0;
  for (const event of events) {
    if (event.kind === 'closed') {
      for (const id of event.ids) reserved -= open.get(id) ?? 0;
    }
    if (event.kind !== 'admitted') continue;
    for (const { id, atMs, tokens } of event.tickets) {
      reservedBefore.set(atMs, Math.max(reserved, reservedBefore.get(atMs) ?? 0));
      // What exceeds the reservation is debt, and paid for later.
      spans.push({ fromMs: atMs, toMs: atMs, amount: Math.min(tokens, REAL_TOKENS) });
      open.set(id, tokens);
      reserved += tokens;
    }
  }
  return { spans, reservedBefore };
}

function sum(usage: { readonly input: number; readonly output: number } | undefined): number {
  return usage ? usage.input + usage.output : 0;
}
