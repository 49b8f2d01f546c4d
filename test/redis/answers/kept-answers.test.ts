/** An answer is read as it was kept, by its tenant alone, until it is too old or its room is needed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { answerOf, bounds, ENTRY_BYTES, openGround, TENANT, taken } from './ground.ts';

const HOUR_MS = 3_600_000;

test('bytes, status and type come back as they were, with an age, and only to the tenant', async (t) => {
  const { answers } = await openGround(t);
  const bytes = Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256));
  const answer = answerOf(bytes, { status: 201, contentType: 'text/event-stream; charset=utf-8' });
  assert.equal(taken(await answers.keep(TENANT, 'one', answer, bounds)), true);
  const found = taken(await answers.read(TENANT, 'one', HOUR_MS));
  assert.deepEqual(found?.answer, answer);
  assert.ok(found && found.ageMs >= 0 && found.ageMs < 10_000);
  assert.equal(taken(await answers.read('other', 'one', HOUR_MS)), undefined);
  assert.equal(taken(await answers.read(TENANT, 'two', HOUR_MS)), undefined);
});

test('an answer that is older than wanted is not read', async (t) => {
  const { answers } = await openGround(t);
  await answers.keep(TENANT, 'one', answerOf('old'), bounds);
  await until(async () => (taken(await answers.read(TENANT, 'one', HOUR_MS))?.ageMs ?? 0) >= 20);
  assert.equal(taken(await answers.read(TENANT, 'one', 20)), undefined);
});

test('when the last answer has ended nothing of the tenant is left', async (t) => {
  const { answers, all } = await openGround(t);
  for (const id of ['one', 'two']) {
    await answers.keep(TENANT, id, answerOf('short'), { ...bounds, lifetimeMs: 30 });
  }
  assert.notDeepEqual(await all(), []);
  await until(async () => (await all()).length === 0, 'everything to expire');
});

test('all of a tenant stay within the bound, and those that end first go', async (t) => {
  const { answers, keys, ask } = await openGround(t);
  const tenantBytesMax = 5 * (ENTRY_BYTES + 1_000);
  const keep = (id: string, lifetimeMs: number, bytes = 1_000) =>
    answers.keep(TENANT, id, answerOf('x'.repeat(bytes)), { tenantBytesMax, lifetimeMs });
  await keep('long', HOUR_MS);
  for (let count = 0; count < 10; count += 1) await keep(`short-${count}`, 60_000 + count);
  assert.deepEqual(await ask((client) => client.zrange(keys.answers(TENANT), '0', '-1')), [
    ...['short-6', 'short-7', 'short-8', 'short-9'],
    'long',
  ]);
  assert.equal(await ask((client) => client.exists(keys.answer(TENANT, 'short-0'))), 0);
  const size = () => ask((client) => client.hget(keys.answerSizes(TENANT), 'all'));
  assert.equal(Number(await size()), tenantBytesMax);

  assert.equal(taken(await keep('short-9', 60_000, 10)), true, 'in place of the one before');
  assert.equal(Number(await size()), tenantBytesMax - 990);
  assert.equal(taken(await keep('huge', 60_000, tenantBytesMax)), false);
  assert.equal(Number(await size()), tenantBytesMax - 990, 'for what can never fit, nothing goes');
});

test('one step takes out a bounded number, and the next ones go on', async (t) => {
  const { answers, keys, ask } = await openGround(t);
  const tenantBytesMax = 500 * (ENTRY_BYTES + 1);
  const limits = { lifetimeMs: HOUR_MS, tenantBytesMax };
  await Promise.all(
    Array.from({ length: 500 }, (_, index) => answers.keep(TENANT, `${index}`, answerOf('x'), limits)),
  );
  const large = answerOf('x'.repeat(tenantBytesMax - ENTRY_BYTES));
  const kept: boolean[] = [];
  const left: number[] = [];
  for (let tries = 0; tries < 3; tries += 1) {
    kept.push(taken(await answers.keep(TENANT, 'large', large, limits)));
    left.push(await ask((client) => client.zcard(keys.answers(TENANT))));
  }
  assert.deepEqual(
    [kept, left],
    [
      [false, false, true],
      [300, 100, 1],
    ],
  );
});

test('what has ended by itself leaves the sum as well', async (t) => {
  const { answers, keys, ask } = await openGround(t);
  await answers.keep(TENANT, 'brief', answerOf('x'.repeat(100)), { ...bounds, lifetimeMs: 20 });
  await answers.keep(TENANT, 'long', answerOf('x'), bounds);
  await until(async () => (await ask((client) => client.exists(keys.answer(TENANT, 'brief')))) === 0);
  await answers.keep(TENANT, 'another', answerOf('x'), bounds);
  const sizes = await ask((client) => client.hgetall(keys.answerSizes(TENANT)));
  const each = String(ENTRY_BYTES + 1);
  assert.deepEqual({ ...sizes }, { all: String(2 * (ENTRY_BYTES + 1)), long: each, another: each });
});
