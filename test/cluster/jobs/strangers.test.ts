/** S3: somebody else's jobs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeJobId } from '../../../src/jobs/job-id.ts';
import { fieldsOf, type Reply } from './support/caller.ts';
import { bounded, openPlace } from './support/place.ts';

const ways = [
  ['GET', ''],
  ['GET', '/result'],
  ['GET', '/events'],
  ['POST', '/cancel'],
  ['DELETE', ''],
] as const;

test(
  "of another tenant's jobs, waiting, running or done, every replica says the same as of an id that nobody has",
  bounded,
  async (t) => {
    const place = await openPlace(t, { replicas: 2, workers: 1, config: { worker: { concurrency: 1 } } });
    const { caller, gpu } = place;
    const { key } = await place.makeKey();
    const stranger = await place.makeKey('stranger');
    const post = async (name: string) => (await caller.post({ key, name })).job as string;
    const done = await post('done');
    await caller.untilOver(done, key, 30_000);
    gpu.addFault({ prompt: '[running-', first_token_ms: 120_000 });
    const running = await post('running');
    await gpu.until(({ running: now }) => now === 1);
    const waiting = await post('waiting');

    let asked = 0;
    for (const [status, job] of Object.entries({ completed: done, in_progress: running, queued: waiting })) {
      for (const [method, path] of ways) {
        for (const replica of [0, 1]) {
          for (const prefer of ['wait=5', 'respond-async']) {
            const question = { key: stranger.key, method, headers: { prefer, 'last-event-id': '1.0.1' } };
            const nobodys = makeJobId();
            const foreign = await caller.ask(`/${job}${path}`, question, replica);
            const unknown = await caller.ask(`/${nobodys}${path}`, question, replica);
            asked += 1;
            assert.equal(foreign.status, 404);
            assert.deepEqual(told(foreign, job), told(unknown, nobodys), `${method} ${path} of ${status}`);
          }
        }
      }
      const { body } = await caller.ask(`/${job}`, { key });
      assert.equal(fieldsOf({ body }).status, status, 'nothing has become of it');
    }
    for (const replica of [0, 1]) {
      const list = fieldsOf(await caller.ask('', { key: stranger.key }, replica));
      assert.deepEqual(list.data, []);
      const nobodys = makeJobId();
      const behind = (id: string) => caller.ask(`?after=${id}`, { key: stranger.key }, replica);
      assert.deepEqual(told(await behind(done), done), told(await behind(nobodys), nobodys));
    }
    t.diagnostic(`${asked} questions of each kind answered alike`);
  },
);

/** All of an answer but what differs from one answer to the next. */
function told({ status, headers, body }: Reply, id: string): unknown {
  const { date: _date, 'x-request-id': _id, 'x-process-time': _time, ...rest } = headers;
  return { status, rest, text: body.toString().replaceAll(id, 'the id') };
}
