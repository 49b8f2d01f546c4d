/** A job is cancelled through any replica, as often as one likes, and deleted with all that it has left. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { until } from '../../support/gateway.ts';
import { assertRefused } from '../client.ts';
import { ask, got, read, type Stage, startStage } from './player.ts';

let stage: Stage;
before(async () => {
  stage = await startStage();
});
after(() => stage.stop());

test('a job that waits is cancelled, again and again, and never runs', async () => {
  const { one, other, player } = stage;
  const id = await player.accept();
  got(await player.payloads.writeRequest(id, Buffer.from('a prompt'), 60_000));
  for (const gateway of [one, other, one]) {
    const reply = await ask(gateway, `/${id}/cancel`, { method: 'POST' });
    assert.deepEqual([reply.status, read(reply).status], [200, 'cancelled']);
  }
  assert.deepEqual(got(await player.table.pick('llama', 1)), []);
  assert.equal(got(await player.table.find(id))?.cancelled_by, 'caller');
  await until(async () => got(await player.payloads.readRequest(id)).kind === 'missing', 'its request to go');
});

test('a job that runs is cancelled, its worker may not finish it, and who waits for it hears of it', async () => {
  const { one, other, player } = stage;
  const id = await player.accept();
  const attempt = await player.begin(id);
  const waiting = ask(one, `/${id}`, { prefer: 'wait=30' });
  const reply = await ask(other, `/${id}/cancel`, { method: 'POST', 'content-type': 'application/json' });
  assert.equal(read(reply).status, 'cancelled');
  assert.equal(read(await waiting).status, 'cancelled');
  const used = { cost: undefined, usage: undefined };
  assert.equal(got(await player.table.finish(id, attempt, { status: 'completed' }, used)).verdict, 'over');
});

test('a job that is over stays what it is', async () => {
  const { one, player } = stage;
  const id = await player.accept();
  await player.complete(id, await player.begin(id), Buffer.from('{"a":1}'));
  const { status, result } = read(await ask(one, `/${id}/cancel`, { method: 'POST' }));
  assert.deepEqual([status, result], ['completed', { a: 1 }]);
});

test('a body that nobody wants is no obstacle, whatever it is', async () => {
  const { one, player } = stage;
  const id = await player.accept();
  for (const type of ['application/json', 'text/plain', 'nonsense']) {
    const reply = await ask(one, `/${id}/cancel`, { method: 'POST', 'content-type': type });
    assert.equal(reply.status, 200, type);
  }
});

test('deleting takes out record, request and answers, and then there is no such job', async () => {
  const { one, other, player, redis } = stage;
  const ids = [await player.accept(), await player.accept(), await player.accept()];
  const [waiting, running, done] = ids as [string, string, string];
  for (const id of ids) got(await player.payloads.writeRequest(id, Buffer.from('a prompt'), 60_000));
  got(await player.table.pick('llama', 3));
  for (const id of [running, done])
    player.stream(id, await player.beginAgain(id)).append(Buffer.from('data: 1\n\n'));
  await player.complete(done, 1, Buffer.from('{}'));
  const client = new Redis(redis.url);
  const left = async () => (await client.keys('*')).filter((name) => ids.some((id) => name.includes(id)));
  await until(async () => (await left()).filter((name) => name.includes('pieces')).length === 2, 'pieces');

  for (const id of [waiting, running, done]) {
    const reply = await ask(one, `/${id}`, { method: 'DELETE' });
    assert.deepEqual([reply.status, read(reply)], [200, { id, object: 'job.deleted', deleted: true }]);
    assertRefused(await ask(other, `/${id}`, { method: 'DELETE' }), 'job_not_found');
    assertRefused(await ask(other, `/${id}`), 'job_not_found');
  }
  assert.deepEqual(await left(), []);
  client.disconnect();
});
