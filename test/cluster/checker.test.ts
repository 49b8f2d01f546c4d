/** A judge that cannot say no is worth nothing: each is shown a run with a fault. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Books, Sums } from './support/books.ts';
import {
  burstNeeded,
  chargeFaults,
  outstandingFaults,
  overdrafts,
  sumFaults,
  ticketFaults,
} from './support/checker.ts';
import { dueOf } from './support/dues.ts';
import type { CallRecord } from './support/history.ts';
import type { TraceEvent } from './support/trace.ts';

const RATE = 600;
/** A tenth of a second apart is what the rate gives. */
const at = (ms: number, amount = 1) => ({ fromMs: ms, toMs: ms, amount });

test('a burst and then the rate need that burst and no more', () => {
  const spans = [...Array(5).fill(at(0)), ...Array.from({ length: 50 }, (_, index) => at((index + 1) * 100))];
  assert.equal(burstNeeded(spans, RATE), 5);
});

test('one too many is noticed wherever it comes', () => {
  const steady = Array.from({ length: 50 }, (_, index) => at(index * 100));
  for (const moment of [0, 2_450, 4_900]) {
    assert.ok(burstNeeded([...steady, at(moment), at(moment)], RATE) >= 3);
  }
});

test('two bursts are one too many, unless the time between them has filled the bucket', () => {
  const burst = (ms: number) => Array(10).fill(at(ms));
  assert.equal(burstNeeded([...burst(0), ...burst(1_000)], RATE), 10);
  assert.equal(burstNeeded([...burst(0), ...burst(500)], RATE), 15);
});

test('what may have happened outside of an interval does not count against it', () => {
  const unsure = Array.from({ length: 10 }, () => ({ fromMs: 0, toMs: 1_000, amount: 1 }));
  assert.equal(burstNeeded(unsure, RATE), 0);
});

test('what was reserved before counts for the intervals that begin then, and for no others', () => {
  const spans = [at(0, 30), at(10_000, 30)];
  assert.equal(
    burstNeeded(spans, RATE, (ms) => (ms === 0 ? 30 : 0)),
    30,
  );
});

const bucket = (zeroMs: number): TraceEvent => ({
  kind: 'bucket',
  account: 'key:k',
  field: 't',
  zeroMs,
  nowMs: 0,
});
const admitted = (id: string, atMs: number, tokens: number): TraceEvent => ({
  kind: 'admitted',
  tickets: [{ id, atMs, tokens }],
});
const limit = { perMinute: RATE, burst: 100 };

test('an admission on debt is noticed, and one of more than the burst on a full bucket is none', () => {
  assert.deepEqual(overdrafts([admitted('a', 0, 300), bucket(20_000)], 'key:k', limit), []);
  const onDebt = [admitted('a', 0, 300), bucket(20_000), admitted('b', 19_000, 5)];
  assert.equal(overdrafts(onDebt, 'key:k', limit).length, 1);
  const repaid = [admitted('a', 0, 300), bucket(20_000), admitted('b', 20_500, 5)];
  assert.deepEqual(overdrafts(repaid, 'key:k', limit), []);
});

test('two of one batch that do not fit together are noticed', () => {
  const both = [
    { id: 'a', atMs: 0, tokens: 60 },
    { id: 'b', atMs: 0, tokens: 60 },
  ];
  assert.equal(overdrafts([{ kind: 'admitted', tickets: both }], 'key:k', limit).length, 1);
});

test('a ticket that was never closed, or twice, is noticed', () => {
  const closed = (...ids: string[]): TraceEvent => ({ kind: 'closed', ids });
  assert.deepEqual(ticketFaults([admitted('a', 0, 1), closed('a')]), []);
  assert.equal(ticketFaults([admitted('a', 0, 1)]).length, 1);
  assert.equal(ticketFaults([admitted('a', 0, 1), closed('a'), closed('a')]).length, 1);
  assert.equal(ticketFaults([admitted('a', 0, 1), admitted('a', 1, 1), closed('a')]).length, 1);
});

const call: CallRecord = {
  id: 'one',
  keyId: 'k',
  kind: 'ok',
  replica: 0,
  sentAtMs: 0,
  answeredAtMs: 1,
  status: 200,
  refusal: undefined,
  headers: {},
  counted: { input: 2, output: 32 },
  usage: { input: 2, output: 32 },
  isWhole: true,
};
const line = { request_id: 'one', status: 200, input_tokens: 2, output_tokens: 32 };
const sums: Sums = { calls: 1, errors: 0, lost: 0, input: 2, output: 32 };
const books: Books = { lines: [line], ofKeys: sums, ofMonth: sums, ofTenant: sums };

test('a call that is missing from the books, or there twice, or wrong, or made up, is noticed', () => {
  const faults = (lines: Books['lines'], of = call) => chargeFaults({ ...books, lines }, [of], dueOf).length;
  assert.equal(faults([line]), 0);
  assert.equal(faults([]), 1);
  assert.equal(faults([line, line]), 1);
  assert.equal(faults([{ ...line, output_tokens: 31 }]), 1);
  assert.equal(faults([{ ...line, status: 500 }]), 1);
  assert.equal(faults([line, { ...line, request_id: 'other' }]), 1);
  assert.equal(faults([line], { ...call, status: 429 }), 1);
  assert.equal(faults([line], { ...call, kind: 'failed_upstream', status: 502 }), 3);
  assert.equal(faults([line], { ...call, usage: undefined }), 2);
});

test('sums and quotas that are not those of the calls are noticed', () => {
  const account = { quotaRequests: 1, quotaTokens: 34 };
  assert.deepEqual(sumFaults(books, account), []);
  assert.equal(sumFaults({ ...books, ofMonth: { ...sums, input: 3 } }, account).length, 1);
  assert.equal(sumFaults({ ...books, ofTenant: { ...sums, calls: 2 } }, account).length, 1);
  assert.equal(sumFaults(books, { ...account, quotaTokens: 33 }).length, 1);
});

test('an open ticket and a taken slot are noticed', () => {
  assert.deepEqual(outstandingFaults({ open: [], slots: { tenant: 0 } }), []);
  assert.equal(outstandingFaults({ open: ['a'], slots: { tenant: 1 } }).length, 2);
});
