/** A request with an Idempotency-Key has one holder at a time, and one answer for as long as it is remembered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { answerOf, ENTRY_BYTES, entryOf, openGround, TENANT, taken } from './ground.ts';

test('of those who begin at once one holds it, the others hear that it runs, and all get its answer', async (t) => {
  const ground = await openGround(t);
  const once = ground.once();
  const holders = Array.from({ length: 20 }, (_, index) => entryOf(`holder-${index}`));
  const begun = await Promise.all(holders.map(async (entry) => taken(await once.begin(entry)).kind));
  assert.deepEqual(begun, ['begun', ...Array.from({ length: 19 }, () => 'running')]);

  const answer = answerOf('the one', { status: 404 });
  assert.equal(taken(await once.finish(entryOf('holder-1'), answer)), 'lost', 'not its holder');
  assert.equal(taken(await once.finish(entryOf('holder-0'), answer)), 'kept');
  assert.deepEqual(taken(await once.begin(entryOf('late'))), { kind: 'finished', answer });
  assert.equal(taken(await once.finish(entryOf('holder-0'), answerOf('another'))), 'lost', 'once is once');
});

test('another request with the same key is told so, running or finished', async (t) => {
  const once = (await openGround(t)).once();
  const other = entryOf('b', { request: 'another' });
  await once.begin(entryOf('a'));
  assert.deepEqual(taken(await once.begin(other)), { kind: 'mismatch' });
  await once.finish(entryOf('a'), answerOf('x'));
  assert.deepEqual(taken(await once.begin(other)), { kind: 'mismatch' });
  const ofOther = { ...other, tenant: 'other' };
  assert.equal(taken(await once.begin(ofOther)).kind, 'begun', 'tenants do not meet');
});

test('what is freed may run anew, and leaves nothing', async (t) => {
  const ground = await openGround(t);
  const once = ground.once();
  await once.begin(entryOf('a'));
  await once.free(entryOf('b'));
  assert.equal(taken(await once.begin(entryOf('b'))).kind, 'running', 'only its holder frees it');
  await once.free(entryOf('a'));
  const left = await ground.ask((client) => client.hgetall(ground.keys.onceSizes(TENANT)));
  assert.deepEqual({ ...left }, { all: '0' });
  assert.equal(taken(await once.begin(entryOf('b'))).kind, 'begun');
});

test('a lease that is not renewed ends, one that is renewed does not', async (t) => {
  const once = (await openGround(t)).once({ leaseMs: 100 });
  await once.begin(entryOf('dead'));
  await once.begin(entryOf('alive', { id: 'other' }));
  const renewals = setInterval(() => void once.renew(entryOf('alive', { id: 'other' })), 20);
  t.after(() => clearInterval(renewals));
  await until(async () => taken(await once.begin(entryOf('next'))).kind === 'begun', 'the lease to end');
  assert.equal(taken(await once.begin(entryOf('next', { id: 'other' }))).kind, 'running');
  assert.equal(taken(await once.renew(entryOf('dead'))), false, 'it is another’s by now');
  assert.equal(taken(await once.finish(entryOf('dead'), answerOf('late'))), 'lost');
});

test('a holder whose lease has ended unnoticed takes it again, and may finish', async (t) => {
  const ground = await openGround(t);
  const once = ground.once({ leaseMs: 20 });
  const gone = () => until(async () => (await ground.all()).length === 0, 'the lease to end');
  await once.begin(entryOf('a'));
  await gone();
  assert.equal(taken(await once.renew(entryOf('a'))), true);
  assert.equal(taken(await once.begin(entryOf('b'))).kind, 'running');
  await gone();
  assert.equal(taken(await once.finish(entryOf('a'), answerOf('x'))), 'kept');
  assert.equal(taken(await once.begin(entryOf('b'))).kind, 'finished');
});

test('an answer that does not fit is not kept, and it is known that it has run', async (t) => {
  const once = (await openGround(t)).once({ tenantBytesMax: ENTRY_BYTES + 10 });
  await once.begin(entryOf('a'));
  assert.equal(taken(await once.finish(entryOf('a'), answerOf('x'.repeat(11)))), 'not_kept');
  assert.deepEqual(taken(await once.begin(entryOf('b'))), { kind: 'finished', answer: undefined });
});

test('a tenant has so many entries and bytes, and new ones are told until when', async (t) => {
  const ground = await openGround(t);
  const few = ground.once({ tenantEntriesMax: 2 });
  await few.begin(entryOf('a'));
  await few.begin(entryOf('a', { id: 'two' }));
  const full = taken(await few.begin(entryOf('a', { id: 'three' })));
  assert.ok(full.kind === 'full' && full.firstEndsInMs > 50_000 && full.firstEndsInMs <= 60_000);
  assert.equal(taken(await few.begin(entryOf('b'))).kind, 'running', 'known ones are answered as ever');
  await few.free(entryOf('a'));
  assert.equal(taken(await few.begin(entryOf('a', { id: 'three' }))).kind, 'begun');
  const small = ground.once({ tenantBytesMax: 2 * ENTRY_BYTES });
  assert.equal(taken(await small.begin(entryOf('a', { id: 'four' }))).kind, 'full');
});

test('when all is forgotten nothing of the tenant is left', async (t) => {
  const ground = await openGround(t);
  const once = ground.once({ lifetimeMs: 30, leaseMs: 30 });
  await once.begin(entryOf('a'));
  await once.finish(entryOf('a'), answerOf('x'));
  await once.begin(entryOf('a', { id: 'two' }));
  await until(async () => (await ground.all()).length === 0, 'everything to expire');
});
