/** Q9: few jobs of one tenant come behind many of another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Post } from './support/history.ts';
import { bounded, isLong, openPlace, type Place, TOLERANCE } from './support/place.ts';

const MANY = isLong ? 1_000 : 150;
const FEW = 10;
const CONCURRENCY = 4;
const ANSWER_MS = 200;
/** Of two tenants that both wait, each has half of the places. */
const SHARE = 1 / 2;
const LIMIT_MS = 60_000;

test(
  'ten jobs behind many of another tenant are done in the time that they would take alone with half of the places',
  bounded,
  async (t) => {
    const place = await openPlace(t, {
      ...{ replicas: 1, workers: 1, simulator: { firstTokenMs: ANSWER_MS } },
      config: { worker: { concurrency: CONCURRENCY } },
    });
    const { calls } = place;
    const few = await place.makeKey('few');
    const many = await place.makeKey('many');
    const aloneMs = await doneMs(place, few.key, await postAll(place, few.key, 'alone', FEW));
    await postAll(place, many.key, 'many', MANY);
    const begunBefore = calls.length;
    const sent = await postAll(place, few.key, 'few', FEW);
    const besideMs = await doneMs(place, few.key, sent);
    const begun = calls.slice(begunBefore).map(({ request }) => request.split('-')[0]);
    const others = begun.slice(0, begun.lastIndexOf('few')).filter((name) => name === 'many').length;
    const allMs = ((MANY + FEW) * ANSWER_MS) / CONCURRENCY;
    const shared = aloneMs / SHARE;
    t.diagnostic(
      `alone ${aloneMs.toFixed(0)} ms, behind ${MANY} others ${besideMs.toFixed(0)} ms (fair: ${shared.toFixed(0)}, in order of arrival: ${allMs}); ${others} of the others began before the last of them`,
    );
    assert.ok(besideMs <= TOLERANCE * shared);
    assert.ok(others <= TOLERANCE * (FEW + CONCURRENCY), 'they take turns');
    assert.ok(TOLERANCE * (FEW + CONCURRENCY) < MANY, 'the order of arrival would be noticed');
  },
);

function postAll({ caller }: Place, key: string, name: string, count: number): Promise<Post[]> {
  return Promise.all(Array.from({ length: count }, () => caller.post({ key, name })));
}

/** From when the first was sent until the last was done. */
async function doneMs({ caller }: Place, key: string, posts: readonly Post[]): Promise<number> {
  const ends = await Promise.all(posts.map(({ job }) => caller.untilOver(job as string, key, LIMIT_MS)));
  assert.ok(ends.every(({ status }) => status === 'completed'));
  return Math.max(...ends.map(({ atMs }) => atMs)) - Math.min(...posts.map(({ sentAtMs }) => sentAtMs));
}
