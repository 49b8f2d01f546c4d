/** Who asks a GPU server for its load, and what all get to know of it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Answer, RedisClient } from '../../src/redis/connection.ts';
import { type LoadTable, loadTable } from '../../src/redis/load-table.ts';
import { keys, openGround } from './tickets/ground.ts';

const NOW = 1_795_267_017_123;
const CLAIM_MS = 1_000;

async function open(t: TestContext) {
  const { client, setTime } = await openGround(t);
  const ask = async <T>(commands: (client: RedisClient) => Promise<T>): Promise<Answer<T>> => ({
    ok: true,
    value: await commands(client),
  });
  setTime(NOW);
  return { client, setTime, table: loadTable({ ask, keys }) };
}

async function claim(table: LoadTable, ...names: string[]) {
  const answer = await table.claim(names.map((name) => ({ name, claimMs: CLAIM_MS })));
  assert.ok(answer.ok);
  return answer.value;
}

async function isClaimed(table: LoadTable, name = 'a'): Promise<boolean> {
  const { entries } = await claim(table, name);
  return entries[0]?.isClaimed === true;
}

test('of many replicas that come at once, one is to ask each server', async (t) => {
  const { table } = await open(t);
  const rolls = await Promise.all(Array.from({ length: 20 }, () => claim(table, 'a', 'b', 'c')));
  for (const index of [0, 1, 2]) {
    assert.equal(rolls.filter(({ entries }) => entries[index]?.isClaimed).length, 1);
  }
});

test('the claim of a replica that has died goes to the next one when it has run out, and not before', async (t) => {
  const { table, setTime } = await open(t);
  assert.equal(await isClaimed(table), true);
  setTime(NOW + CLAIM_MS - 1);
  assert.equal(await isClaimed(table), false);
  setTime(NOW + CLAIM_MS);
  assert.equal(await isClaimed(table), true);
  assert.equal(await isClaimed(table), false);
});

test('what one replica has heard, all get with their next question, for ten seconds', async (t) => {
  const { table, setTime } = await open(t);
  await claim(table, 'a');
  const report = { atMs: NOW + 20, running: 12, waiting: 3 };
  await table.write('a', NOW + 900, report);
  setTime(NOW + 899);
  const roll = await claim(table, 'b', 'a');
  assert.deepEqual(roll, {
    nowMs: NOW + 899,
    entries: [
      { isClaimed: true, report: undefined },
      { isClaimed: false, report },
    ],
  });
  setTime(NOW + 900);
  assert.deepEqual((await claim(table, 'a')).entries, [{ isClaimed: true, report }]);
  setTime(NOW + 10_020);
  assert.deepEqual((await claim(table, 'a')).entries[0]?.report, report);
  setTime(NOW + 10_021);
  assert.deepEqual((await claim(table, 'a')).entries[0]?.report, undefined);
});

test('a server that has no metrics is left in peace for as long as was written', async (t) => {
  const { table, setTime } = await open(t);
  await claim(table, 'a');
  await table.write('a', NOW + 60_000, undefined);
  setTime(NOW + 59_999);
  assert.deepEqual((await claim(table, 'a')).entries, [{ isClaimed: false, report: undefined }]);
  setTime(NOW + 60_000);
  assert.equal(await isClaimed(table), true);
});

test('what nobody asks for any more is taken out, and what a clock that was set back has left', async (t) => {
  const { table, client, setTime } = await open(t);
  await claim(table, 'gone', 'kept');
  setTime(NOW + CLAIM_MS + 120_001);
  assert.equal(await isClaimed(table, 'kept'), true);
  assert.deepEqual(await client.hkeys(keys.loads()), ['kept']);
  setTime(NOW - 600_000);
  assert.equal(await isClaimed(table, 'kept'), true);
});

test('what is no entry, or one of another release, does no harm', async (t) => {
  const { table, client } = await open(t);
  const texts = {
    ...{ text: 'nonsense', list: '[1]', number: '7', none: 'null', empty: '{}' },
    ...{ due: '{"due_ms":{}}', wrong: '{"due_ms":"x","at_ms":1}' },
    strange: `{"due_ms":1,"at_ms":${NOW},"running":-1,"waiting":[]}`,
  };
  await client.hset(keys.loads(), texts);
  const { entries } = await claim(table, ...Object.keys(texts));
  assert.deepEqual(
    entries,
    Object.keys(texts).map(() => ({ isClaimed: true, report: undefined })),
  );
  const more = { due_ms: NOW + 5, at_ms: NOW, running: 1, waiting: 0, since_later: { cache: 0.5 } };
  await client.hset(keys.loads(), 'later', JSON.stringify(more));
  assert.deepEqual((await claim(table, 'later')).entries, [
    { isClaimed: false, report: { atMs: NOW, running: 1, waiting: 0 } },
  ]);
});
