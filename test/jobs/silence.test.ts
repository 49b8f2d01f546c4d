/** A worker counts as silent only when jobs wait, there is room for them, and none starts, for a time at a stretch. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { watchSilence } from '../../src/jobs/silence.ts';
import { until } from './ground.ts';

const bounds = { silentMs: 50, rebuildsMax: 2 };

function watched(t: TestContext) {
  const state = { room: true, waiting: 1 as number | undefined, rebuilt: 0, givenUp: 0, looks: 0 };
  const watch = watchSilence(
    {
      hasRoom: () => {
        state.looks += 1;
        return state.room;
      },
      waiting: async () => state.waiting,
      rebuild() {
        state.rebuilt += 1;
      },
      giveUp() {
        state.givenUp += 1;
      },
    },
    bounds,
  );
  t.after(() => watch.close());
  return { state, watch };
}

test('a silent worker is rebuilt twice, then given up once', async (t) => {
  const { state } = watched(t);
  await until(() => state.givenUp === 1);
  assert.equal(state.rebuilt, 2);
  const { looks } = state;
  await until(() => state.looks > looks + 20);
  assert.deepEqual([state.rebuilt, state.givenUp], [2, 1]);
});

test('it is not silent while it has no room, nothing waits, or Redis is away', async (t) => {
  for (const change of [{ room: false }, { waiting: 0 }, { waiting: undefined }]) {
    const { state } = watched(t);
    Object.assign(state, change);
    await until(() => state.looks > 20);
    assert.equal(state.rebuilt, 0, JSON.stringify(change));
  }
});

test('it is not silent while jobs start', async (t) => {
  const { state, watch } = watched(t);
  const starting = setInterval(() => watch.started(), 5);
  t.after(() => clearInterval(starting));
  await until(() => state.looks > 20);
  assert.equal(state.rebuilt, 0);
});
