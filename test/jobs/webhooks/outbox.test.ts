/** The end of a job leaves its event in the same step, and an event is one worker's at a time. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type TryEnd, webhookTableOf } from './outbox-ground.ts';

const failed = { status: 503, cause: 'status' } as const;
const retry = (pauseMs: number, holds = false): TryEnd => ({ outcome: 'retry', pauseMs, holds, ...failed });
const PLACES = 4;

const open = (t: TestContext) => webhookTableOf(t, PLACES);

test('each way in which a job ends leaves one event, in that step', async (t) => {
  const { register, run, jobs, table, got, setTime, BEGIN_MS } = await open(t);
  await register('acme');
  await run('job_a', 'completed');
  await run('job_b', 'failed');
  await run('job_c');
  got(await jobs.cancel('job_c', 'acme', 'owner'));
  await run('job_d');
  setTime(BEGIN_MS + 2 * 86_400_000);
  got(await jobs.sweep(10));
  const picked = got(await table.pick(10));
  const events = await Promise.all(picked.map(async ({ event }) => got(await table.findEvent(event))));
  assert.deepEqual(events.map((event) => [event?.id, event?.job, event?.type]).sort(), [
    ['evt_a', 'job_a', 'job.completed'],
    ['evt_b', 'job_b', 'job.failed'],
    ['evt_c', 'job_c', 'job.cancelled'],
    ['evt_d', 'job_d', 'job.expired'],
  ]);
});

test('no event: no webhook, a disabled one, a caller who was never told the id, a job that is forgotten', async (t) => {
  const { register, run, jobs, table, got } = await open(t);
  await run('job_a', 'completed');
  await register('acme', 'disabled');
  await run('job_b', 'completed');
  await register('acme', 'enabled', 1);
  await run('job_c', 'completed', { via: 'held' });
  await run('job_d');
  got(await jobs.forget('job_d', 'acme'));
  assert.deepEqual(got(await table.pick(10)), []);
  await run('job_e', 'completed');
  assert.deepEqual(got(await table.pick(10)), [{ event: 'evt_e', number: 1 }]);
});

test('a receiver gets so many at once, and one that fails thrice in a row a single one', async (t) => {
  const { register, run, table, got } = await open(t);
  await register('acme');
  await register('zoo');
  for (let number = 0; number < 8; number += 1) await run(`job_a${number}`, 'completed');
  await run('job_z', 'completed', { tenant: 'zoo' });
  const first = got(await table.pick(100));
  assert.equal(first.length, PLACES + 1, 'and the other tenant is served');
  assert.deepEqual(got(await table.pick(100)), []);
  const ofAcme = first.filter(({ event }) => event !== 'evt_z');
  for (const tried of ofAcme.slice(0, 3)) got(await table.end(tried, retry(60_000)));
  assert.deepEqual(got(await table.pick(100)), [], 'one is still out');
  got(await table.end(ofAcme[3] as never, { outcome: 'delivered' }));
  assert.equal(got(await table.pick(100)).length, PLACES, 'a success makes it trusted again');
});

test('a try that nobody ended is handed out again after two minutes, and the old one has no say', async (t) => {
  const { register, run, table, got, setTime, BEGIN_MS } = await open(t);
  await register('acme');
  await run('job_a', 'completed');
  const [lost] = got(await table.pick(10));
  setTime(BEGIN_MS + 119_000);
  assert.deepEqual(got(await table.pick(10)), []);
  setTime(BEGIN_MS + 121_000);
  const [again] = got(await table.pick(10));
  assert.deepEqual(again, { event: 'evt_a', number: 2 });
  assert.equal(got(await table.end(lost as never, { outcome: 'delivered' })), false);
  assert.equal(got(await table.end(again as never, { outcome: 'delivered' })), true);
  assert.equal(got(await table.end(again as never, { outcome: 'delivered' })), false);
  assert.equal(got(await table.findEvent('evt_a')), undefined);
});

test('a receiver that asks to wait gets nothing until then, not even other events', async (t) => {
  const { register, run, table, got, setTime, BEGIN_MS } = await open(t);
  await register('acme');
  await run('job_a', 'completed');
  const [tried] = got(await table.pick(10));
  got(await table.end(tried as never, retry(60_000, true)));
  await run('job_b', 'completed');
  assert.deepEqual(got(await table.pick(10)), []);
  setTime(BEGIN_MS + 60_000);
  assert.equal(got(await table.pick(10)).length, 2);
});

test('events that were given up are kept to a bound, the newest, and replaying gives all tries again', async (t) => {
  const { register, run, table, got, client, keys } = await open(t);
  await register('acme');
  await run('job_a', 'completed');
  const [first] = got(await table.pick(1));
  got(await table.end(first as never, { outcome: 'dead', ...failed }));
  for (let number = 0; number < 1_000; number += 1) {
    const id = `evt_x${number}`;
    await client.hset(keys.event(id), { tenant: 'acme', job: 'job_x', type: 'job.completed', tries: 0 });
    await client.zadd(keys.outbox('acme'), '1', id);
    if (number === 0) await run('job_b', 'completed');
    const [tried] = got(await table.pick(1));
    got(await table.end(tried as never, { outcome: 'dead', ...failed }));
  }
  assert.deepEqual(got(await table.counts('acme')), { waiting: 1, running: 0, dead: 1_000 });
  assert.equal(got(await table.survey(0)).dead, 1_000);
  assert.equal(got(await table.findEvent('evt_a')), undefined, 'the oldest is gone');
  assert.deepEqual(got(await table.replay(['evt_x7', 'evt_a'])), ['replayed', 'absent']);
  const replayed = got(await table.findEvent('evt_x7'));
  assert.deepEqual([replayed?.tries, replayed?.forgiven, replayed?.died_at_ms], [1, 1, null]);
});

test('a receiver that is gone is disabled; what waits for it waits on', async (t) => {
  const { register, run, table, got } = await open(t);
  await register('acme');
  await run('job_a', 'completed');
  await run('job_b', 'completed');
  const [tried] = got(await table.pick(1));
  got(await table.end(tried as never, { outcome: 'gone', status: 410, cause: 'status' }));
  const endpoint = got(await table.findEndpoint('acme'));
  assert.deepEqual([endpoint?.status, endpoint?.because, endpoint?.revision], ['disabled', 'gone', 2]);
  assert.deepEqual(got(await table.pick(10)), []);
  assert.deepEqual(got(await table.counts('acme')), { waiting: 1, running: 0, dead: 1 });
  await register('acme', 'enabled', 2);
  assert.equal(got(await table.pick(10)).length, 1);
});

test('removing a webhook leaves nothing that is still sent, and writes nothing back', async (t) => {
  const { register, run, table, got, client, keys } = await open(t);
  await register('acme');
  await run('job_a', 'completed');
  const [tried] = got(await table.pick(1));
  await run('job_b', 'completed');
  assert.equal(got(await table.remove('acme')), true);
  assert.equal(got(await table.end(tried as never, { outcome: 'delivered' })), false);
  assert.equal(await client.exists(keys.webhook('acme'), keys.outbox('acme'), keys.outboxReady()), 0);
  assert.deepEqual(got(await table.replay(['evt_b'])), ['no_endpoint']);
});

test('two who write at once do not overwrite each other', async (t) => {
  const { table, got } = await open(t);
  const endpoint = { tenant: 'acme', revision: 0, status: 'enabled', because: null, sealed: 'x' } as const;
  assert.equal(got(await table.register(endpoint)), true);
  assert.equal(got(await table.register(endpoint)), false);
  assert.equal(got(await table.register({ ...endpoint, revision: 1 })), true);
});
