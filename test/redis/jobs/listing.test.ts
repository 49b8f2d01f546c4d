import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RedisClient } from '../../../src/redis/connection.ts';
import { type JobFilter, jobListing } from '../../../src/redis/job-listing.ts';
import { BEGIN_MS, got, keys, openGround } from './ground.ts';

test('pages hold each job once, also of hundreds that came in the same millisecond, and jobs that end meanwhile cost no other', async (t) => {
  const { accept, client, setTime, table } = await openGround(t);
  const ask = async <T>(commands: (client: RedisClient) => Promise<T>) => ({
    ok: true as const,
    value: await commands(client),
  });
  const listing = jobListing({ ask, keys });
  const ids = Array.from({ length: 450 }, (_, index) => `job_${String(index).padStart(3, '0')}`);
  for (const [index, id] of ids.entries()) {
    if (index === 420) setTime(BEGIN_MS + 1);
    await accept(id, { tenant: index % 2 === 0 ? 'even' : 'odd', model: index < 10 ? 'rare' : 'llama' });
  }
  const all = async (filter: JobFilter, limit: number, between = async () => undefined as unknown) => {
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = got(await listing.page(filter, limit, cursor));
      assert.ok(page && page.records.length <= limit);
      seen.push(...page.records.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
      await between();
    } while (cursor !== undefined);
    return seen;
  };
  assert.deepEqual(await all({}, 100), ids.toReversed());
  assert.deepEqual(await all({ tenant: 'odd' }, 7), ids.filter((_, index) => index % 2 === 1).toReversed());
  assert.deepEqual(await all({ model: 'rare' }, 3), ids.slice(0, 10).toReversed());
  assert.deepEqual(await all({ status: 'failed' }, 10), []);
  const victims = ids.slice(0, 20);
  const seen = await all({ tenant: 'even' }, 50, async () => {
    for (const id of victims.splice(0, 5)) await table.cancel(id, undefined, 'a test');
  });
  assert.equal(new Set(seen).size, 225);
  assert.equal(got(await listing.page({}, 10, 'no cursor')), undefined);
});
