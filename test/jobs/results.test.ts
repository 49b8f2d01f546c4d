/** Who ends a job before it runs gives back what its ticket has reserved; a worker that has it settles by itself. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { JobResults } from '../../src/jobs/results.ts';
import { got, startPlayer } from '../http/jobs/player.ts';
import { startRedis } from '../support/redis.ts';

async function openResults(t: TestContext) {
  const redis = await startRedis();
  const player = await startPlayer(redis);
  t.after(async () => {
    player.close();
    await redis.stop();
  });
  const released: string[] = [];
  const results = new JobResults({ ...player, released: ({ id }) => released.push(id) });
  return { player, results, released };
}

for (const way of ['cancel', 'forget'] as const) {
  test(`${way}: of a job that waits, or waits again, the ticket is released, once`, async (t) => {
    const { player, results, released } = await openResults(t);
    const [fresh, again] = [await player.accept(), await player.accept()];
    const attempt = await player.begin(again);
    got(await player.table.putBack(again, attempt));
    for (const id of [fresh, again]) {
      assert.equal(got(await results[way]('acme', id))?.id, id);
      await results[way]('acme', id);
      assert.deepEqual(released.splice(0), [id]);
    }
  });

  test(`${way}: of a job that runs or is over nothing is released, nor of another tenant's`, async (t) => {
    const { player, results, released } = await openResults(t);
    const [running, done, foreign] = [await player.accept(), await player.accept(), await player.accept()];
    await player.begin(running);
    await player.complete(done, await player.begin(done));
    await results[way]('acme', running);
    await results[way]('acme', done);
    assert.equal(got(await results[way]('stranger', foreign)), undefined);
    assert.deepEqual(released, []);
    assert.equal(got(await player.table.find(foreign))?.status, 'queued');
  });
}
