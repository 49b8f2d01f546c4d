/** When keys were last used, as all replicas together have seen it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyUses } from '../../src/admission/keys/key-uses.ts';
import { keyUseTable, type NotedUse } from '../../src/redis/key-use-table.ts';
import { must, newKey, openGround, quiet } from './ground.ts';

const at = (ms: number) => new Date(ms).toISOString();

test('the newest use over all replicas is shown, whichever of them writes last', async (t) => {
  const { store, connect } = await openGround(t);
  const [one, two] = await Promise.all(
    [1, 2].map(async () => new KeyUses({ table: keyUseTable(await connect()), countMax: 10, log: quiet })),
  );
  assert.ok(one && two);
  const { record } = await newKey(store);
  const { record: unused } = await newKey(store, 'other');
  one.of('acme', record.id).lastAtMs = 1_000;
  two.of('acme', record.id).lastAtMs = 2_000;
  two.of('other', unused.id);
  await two.write();
  await one.write();
  const shown = async () => must(await store.get(record.id)).record.last_used_at;
  assert.equal(await shown(), at(2_000));
  one.of('acme', record.id).lastAtMs = 3_000;
  await one.stop();
  assert.equal(await shown(), at(3_000));
  const { records } = must(await store.list({ limit: 10 }));
  assert.deepEqual(
    records.map(({ id, last_used_at }) => [id, last_used_at]),
    [
      [record.id, at(3_000)],
      [unused.id, null],
    ],
  );
});

function writer(countMax = 100) {
  const written: (readonly NotedUse[])[] = [];
  let isThere = true;
  const uses = new KeyUses({
    table: {
      note: async (noted) => {
        if (!isThere) return { ok: false, failure: { kind: 'unavailable', cause: 'away' } };
        written.push(noted);
        return { ok: true, value: undefined };
      },
    },
    countMax,
    log: quiet,
  });
  const setThere = (there: boolean) => {
    isThere = there;
  };
  return { uses, written, setThere };
}

test('a key is written when it was used since, and what Redis does not take is written later', async () => {
  const { uses, written, setThere } = writer();
  uses.of('acme', 'key_1').lastAtMs = 5;
  setThere(false);
  await uses.write();
  setThere(true);
  await uses.write();
  await uses.write();
  assert.deepEqual(written, [[{ tenant: 'acme', id: 'key_1', atMs: 5 }]]);
  uses.of('acme', 'key_1').lastAtMs = 6;
  uses.of('acme', 'key_2');
  await uses.write();
  assert.deepEqual(written.at(-1), [{ tenant: 'acme', id: 'key_1', atMs: 6 }]);
});

test('no more keys are remembered than may be', async () => {
  const { uses, written } = writer(3);
  for (let index = 0; index < 10; index += 1) uses.of('acme', `key_${index}`).lastAtMs = 1 + index;
  await uses.write();
  assert.deepEqual(
    written[0]?.map(({ id }) => id),
    ['key_7', 'key_8', 'key_9'],
  );
});
