/** A job is its tenant's alone: to all others it is as if it had never been. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertRefused } from '../client.ts';
import { ask, got, read, type Stage, startStage } from './player.ts';

let stage: Stage;
let id: string;
before(async () => {
  stage = await startStage();
  id = await stage.player.accept();
  await stage.player.complete(id, await stage.player.begin(id), Buffer.from('{"secret":1}'));
});
after(() => stage.stop());

const NOBODYS = `job_${'a'.repeat(26)}`;
const ways = [
  ['GET', ''],
  ['GET', '/result'],
  ['GET', '/events'],
  ['POST', '/cancel'],
  ['DELETE', ''],
] as const;

test('reading, waiting for, listening to, cancelling and deleting say the same as of an id that nobody has', async () => {
  const { one, strangersKey: key } = stage;
  for (const [method, path] of ways) {
    const headers = { key, method, prefer: 'wait=10' };
    const foreign = await ask(one, `/${id}${path}`, headers);
    const unknown = await ask(one, `/${NOBODYS}${path}`, headers);
    assertRefused(foreign, 'job_not_found');
    assert.deepEqual(
      [foreign.status, foreign.body.toString(), comparable(foreign.headers)],
      [unknown.status, unknown.body.toString(), comparable(unknown.headers)],
      `${method} ${path}`,
    );
  }
  assert.equal(read(await ask(one, `/${id}`)).status, 'completed');
});

test('a list shows no jobs of others, and none can be used to turn its pages', async () => {
  const { one, strangersKey: key } = stage;
  assert.deepEqual(read(await ask(one, '', { key })).data, []);
  const foreign = await ask(one, `?after=${id}`, { key });
  const unknown = await ask(one, `?after=${NOBODYS}`, { key });
  assert.deepEqual([foreign.status, foreign.body.toString()], [400, unknown.body.toString()]);
});

test('what is no id at all is not there either, and leads nowhere', async () => {
  const { one } = stage;
  for (const guess of [`${id}x`, id.toUpperCase(), 'job_', '*', '%00', '..', `${id}%20`, 'x'.repeat(3_000)]) {
    for (const [method, path] of ways) {
      const reply = await ask(one, `/${guess}${path}`, { method });
      assert.equal(reply.status, 404, `${method} ${guess}${path}`);
    }
  }
});

test('any key of the tenant will do, and without a key nothing is told', async () => {
  const { one, other } = stage;
  const { key } = await one.createKey({ tenant: 'acme', name: 'another' });
  assert.equal(read(await ask(other, `/${id}`, { key })).status, 'completed');
  for (const [method, path] of ways) {
    assertRefused(await ask(one, `/${id}${path}`, { key: 'slc_wrong', method }), 'invalid_api_key');
  }
  assert.equal(got(await stage.player.table.find(id))?.status, 'completed');
});

function comparable(headers: Record<string, unknown>): Record<string, unknown> {
  const { date: _date, 'x-request-id': _id, 'x-process-time': _time, ...rest } = headers;
  return rest;
}
