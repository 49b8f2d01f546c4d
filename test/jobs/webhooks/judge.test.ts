/** What follows from the answer of a receiver. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../../src/config/schema.ts';
import { judge } from '../../../src/jobs/webhooks/delivery.ts';
import { secretBox, signatures } from '../../../src/jobs/webhooks/secrets.ts';
import { retryAfterMs } from '../../../src/upstream/receiver.ts';

const SECRET = 'a secret of at least 32 characters';
const usual = configSchema.parse({ secret: SECRET }).webhooks.retry_pauses_seconds.map((s) => s * 1_000);
const answered = (status: number, retryAfter?: number) =>
  ({ ok: true, status, retryAfterMs: retryAfter }) as const;

test('pauses grow over about a day, a fifth more or less, and then the event is given up', () => {
  const pause = (tries: number, random: number) => {
    const end = judge({ pausesMs: usual, random: () => random }, answered(500), tries);
    return end.outcome === 'retry' ? end.pauseMs : end.outcome;
  };
  const pauses = usual.map((_, index) => Number(pause(index + 1, 0.5)));
  assert.deepEqual(pauses, usual);
  assert.deepEqual(
    pauses,
    pauses.toSorted((one, other) => one - other),
  );
  const hours = pauses.reduce((sum, ms) => sum + ms, 0) / 3_600_000;
  assert.ok(hours > 22 && hours < 26, `${hours} h`);
  assert.deepEqual([pause(1, 0), pause(1, 1)], [4_000, 6_000]);
  assert.equal(pause(usual.length + 1, 0.5), 'dead');
});

const parts = { pausesMs: [1_000], random: () => 0.5 };

test('each answer has its consequence', () => {
  for (const status of [200, 201, 204, 299]) {
    assert.deepEqual(judge(parts, answered(status), 1), { outcome: 'delivered' });
  }
  assert.equal(judge(parts, answered(410), 1).outcome, 'gone');
  for (const status of [301, 400, 401, 404, 429, 500, 503]) {
    assert.equal(judge(parts, answered(status), 1).outcome, 'retry', String(status));
  }
  assert.equal(judge(parts, { ok: false, cause: 'timeout' }, 1).outcome, 'retry');
  assert.equal(judge(parts, 'unreadable', 1).outcome, 'retry');
});

test('the longer of our pause and the one that the receiver asks for counts, and his holds all his events', () => {
  const end = (retryAfter: number) => judge(parts, answered(503, retryAfter), 1);
  const failure = { outcome: 'retry', status: 503, cause: 'status', holds: true };
  assert.deepEqual(end(5_000), { ...failure, pauseMs: 5_000 });
  assert.deepEqual(end(10), { ...failure, pauseMs: 1_000 });
});

test('Retry-After is read as seconds and as a date, and is a day at most', () => {
  const nowMs = Date.parse('Sat, 21 Nov 2026 12:00:00 GMT');
  assert.equal(retryAfterMs('120', nowMs), 120_000);
  assert.equal(retryAfterMs('Sat, 21 Nov 2026 12:00:30 GMT', nowMs), 30_000);
  assert.equal(retryAfterMs('999999999', nowMs), 86_400_000);
  for (const text of [undefined, '', '0', '-1', 'soon', 'Sat, 21 Nov 2026 11:00:00 GMT', '1e9']) {
    assert.equal(retryAfterMs(text, nowMs), undefined, String(text));
  }
});

test('the signature is that of the specification', () => {
  const secrets = [
    { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', created_at_ms: 0, not_after_ms: null },
  ];
  const signed = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1_614_265_330,
    body: '{"test": 2432232314}',
  };
  assert.equal(
    signatures({ url: 'https://example.com', secrets }, signed, 0),
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  );
});

test('a secret that was rotated away signs until its overlap is over, and not after', () => {
  const [secret, created_at_ms] = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 0];
  const secrets = [null, 1_000].map((not_after_ms) => ({ secret, created_at_ms, not_after_ms }));
  const signed = { id: 'evt_1', timestamp: 1, body: '{}' };
  const countAt = (nowMs: number) =>
    signatures({ url: 'https://example.com', secrets }, signed, nowMs).split(' ').length;
  assert.deepEqual([countAt(999), countAt(1_000)], [2, 1]);
});

test('an endpoint opens for its tenant and with its secret alone, and not when a byte has changed', () => {
  const box = secretBox(SECRET);
  const endpoint = { url: 'https://example.com', secrets: [] };
  const sealed = box.seal('acme', endpoint);
  assert.deepEqual(box.open('acme', sealed), endpoint);
  assert.notEqual(box.seal('acme', endpoint), sealed);
  assert.equal(box.open('other', sealed), undefined);
  assert.equal(secretBox(`${SECRET}!`).open('acme', sealed), undefined);
  const last = sealed.at(-1) === 'A' ? 'Q' : 'A';
  for (const damaged of [
    sealed.slice(0, -4) + last.repeat(4),
    sealed.slice(0, 20),
    '',
    `2:${sealed.slice(2)}`,
  ]) {
    assert.equal(box.open('acme', damaged), undefined);
  }
});
