import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standingOf } from '../../../src/core/line-survey.ts';
import { type Ground, got, LINE, openGround } from './ground.ts';
import { workshopOf } from './workshop.ts';

const PLACES = 8;

/** Ten tenants, from a few large jobs to many small ones. */
const tenants = Array.from({ length: 10 }, (_, index) => ({
  name: `t${index}`,
  weight: [1, 1, 1, 1, 2, 2, 3, 0.5, 1, 4][index] ?? 1,
  cost: [500, 1_000, 8_000, 200, 1_000, 4_000, 2_000, 1_000, 30_000, 1_000][index] ?? 1_000,
}));

test('ten tenants of different size and weight get their shares while all of them wait', async (t) => {
  const ground = await openGround(t);
  const costs = new Map<string, number>();
  for (const { name, weight, cost } of tenants) {
    // So much that all of them have work for as long as the busiest needs for 120,000 tokens a unit of weight.
    const count = Math.ceil((160_000 * weight) / cost);
    for (let number = 0; number < count; number += 1) {
      const id = `${name}_${number}`;
      costs.set(id, cost);
      await ground.accept(id, { tenant: name, weight, cost });
    }
  }
  const served = new Map(tenants.map(({ name }) => [name, 0]));
  const spans = () => tenants.map(({ name, weight }) => (served.get(name) ?? 0) / weight);
  const largest = [...tenants].map(({ cost, weight }) => cost / weight).sort((one, other) => other - one);
  // SFQ: two tenants that both wait are never further apart than one job of each, over its weight.
  const apartMax = (largest[0] ?? 0) + (largest[1] ?? 0);
  let apart = 0;
  await workshopOf(ground, PLACES, costs).run(({ tenant, cost }) => {
    served.set(tenant, (served.get(tenant) ?? 0) + cost);
    apart = Math.max(apart, Math.max(...spans()) - Math.min(...spans()));
    return Math.max(...spans()) > 120_000 ? 'stop' : 'go on';
  });
  const total = [...served.values()].reduce((sum, one) => sum + one, 0);
  const weights = tenants.reduce((sum, { weight }) => sum + weight, 0);
  for (const { name, weight, cost } of tenants) {
    const [share, due] = [(served.get(name) ?? 0) / total, weight / weights];
    t.diagnostic(
      `${name}: weight ${weight}, jobs of ${cost}: share ${(100 * share).toFixed(1)} %, due ${(100 * due).toFixed(1)} %`,
    );
  }
  t.diagnostic(`at most ${apart.toFixed(0)} tokens a unit of weight apart, bound ${apartMax}`);
  assert.ok(apart <= apartMax, `${apart} apart`);
});

test('ten jobs behind a thousand of another tenant finish in about the time of a fair share', async (t) => {
  const alone = await lastOf(await openGround(t), 0);
  const behind = await lastOf(await openGround(t), 1_000);
  const seconds = (ms: number) => (ms / 1_000).toFixed(1);
  t.diagnostic(
    `10 jobs alone ${seconds(alone)} s, behind 1,000 of another ${seconds(behind)} s; by arrival it would be 126 s`,
  );
  // Half of the places are theirs: twice the time, and the wait for the first places that come free.
  assert.ok(behind <= 2 * alone + 1_000, `${behind} ms`);
});

/** How long after they were queued the ten are done, ms. */
async function lastOf(ground: Ground, others: number): Promise<number> {
  const costs = new Map<string, number>();
  const queue = async (tenant: string, count: number) => {
    for (let number = 0; number < count; number += 1) {
      const id = `${tenant}_${number}`;
      costs.set(id, 1_000);
      await ground.accept(id, { tenant });
    }
  };
  await queue('big', others);
  const workshop = workshopOf(ground, PLACES, costs);
  let begun = 0;
  if (others > 0) await workshop.run(() => (++begun === 4 * PLACES ? 'stop' : 'go on'));
  const queuedMs = workshop.nowMs();
  await queue('small', 10);
  begun = 0;
  await workshop.run(({ tenant }) => (tenant === 'small' && ++begun > 10 ? 'stop' : 'go on'));
  const ends = workshop.done.filter(({ tenant }) => tenant === 'small').map(({ endsMs }) => endsMs);
  assert.equal(ends.length, 10);
  return Math.max(...ends) - queuedMs;
}

test('position and time of a waiting job are estimated within a factor of two at steady load', async (t) => {
  const ground = await openGround(t);
  const costs = new Map<string, number>();
  for (const { name, weight, cost } of tenants) {
    for (let number = 0; number < 12; number += 1) {
      const id = `${name}_${number}`;
      costs.set(id, cost);
      await ground.accept(id, { tenant: name, weight, cost });
    }
  }
  const workshop = workshopOf(ground, PLACES, costs);
  let begun = 0;
  await workshop.run(() => (++begun === 40 ? 'stop' : 'go on'));
  const survey = got(await ground.table.survey(LINE));
  const askedMs = workshop.nowMs();
  const expected = new Map<string, { position: number; etaMs: number | undefined }>();
  for (const id of costs.keys()) {
    const place = got(await ground.table.place(id));
    if (place.place !== 'waiting') continue;
    const standing = standingOf(survey, id.split('_')[0] ?? '', place.rank);
    if (standing) expected.set(id, standing);
  }
  const order: string[] = [];
  await workshop.run(({ id }) => {
    order.push(id);
    return 'go on';
  });
  const positions: number[] = [];
  const times: number[] = [];
  for (const { id, endsMs } of workshop.done) {
    const standing = expected.get(id);
    if (!standing?.etaMs) continue;
    positions.push((standing.position + 5) / (order.indexOf(id) + 1 + 5));
    times.push(standing.etaMs / (endsMs - askedMs));
  }
  assert.equal(positions.length, expected.size);
  const range = (ratios: number[]) =>
    `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  t.diagnostic(`estimate over truth: position ${range(positions)}, time ${range(times)}`);
  assert.ok(
    positions.every((ratio) => ratio > 0.5 && ratio < 2),
    range(positions),
  );
});
