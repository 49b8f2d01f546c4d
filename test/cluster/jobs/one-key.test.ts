/** Q6: the same request comes many times at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldsOf, MODEL, type Reply } from './support/caller.ts';
import { bounded, isLong, openPlace } from './support/place.ts';

const REPLICAS = 4;
const POSTS = 100;
const ROUNDS = isLong ? 20 : 2;

test(
  'a hundred requests at once with one Idempotency-Key, over four replicas, are one job that runs and is charged once',
  bounded,
  async (t) => {
    const place = await openPlace(t, { replicas: REPLICAS, workers: 1 });
    const { caller, calls, books } = place;
    const { key, tenant } = await place.makeKey();
    for (let round = 0; round < ROUNDS; round += 1) {
      const content = `[once-${round}] the same for all`;
      const body = JSON.stringify({ model: MODEL, messages: [{ role: 'user', content }] });
      const headers = {
        ...{ 'content-type': 'application/json', prefer: 'respond-async' },
        'idempotency-key': `key-of-round-${round}`,
      };
      const replies = await Promise.all(
        Array.from({ length: POSTS }, (_, index) =>
          caller.send(
            index % REPLICAS,
            '/v1/chat/completions',
            { key, method: 'POST', headers: { ...headers, 'x-request-id': `once-${round}` } },
            body,
          ),
        ),
      );
      t.diagnostic(`answers: ${statusesOf(replies)}`);
      assert.deepEqual(
        replies.filter(({ status }) => status !== 202).map(({ status }) => status),
        [],
      );
      const [job, ...others] = new Set(replies.map((reply) => String(fieldsOf(reply).id)));
      assert.deepEqual(others, []);
      const { status, attempts } = await caller.untilOver(job as string, key, 30_000);
      assert.deepEqual([status, attempts], ['completed', 1]);
      // The rest of those that lost: whatever they had reserved is given back.
      await place.untilNothingOutstanding();
      assert.equal(calls.length, round + 1);
      assert.equal((await books.books(tenant)).lines.length, round + 1);
      assert.equal((fieldsOf(await caller.ask('', { key })).data as unknown[]).length, round + 1);
    }
  },
);

function statusesOf(replies: readonly Reply[]): string {
  const groups = Map.groupBy(replies, ({ status }) => status);
  return [...groups].map(([status, group]) => `${group.length} × ${status}`).join(', ');
}
