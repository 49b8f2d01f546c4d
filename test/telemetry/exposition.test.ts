/** However many series there are, nobody waits for all of them to be written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesOf, metricsOf } from './readings.ts';

const KINDS = 400;

test('between two slices of a scrape the event loop turns', async () => {
  const metrics = metricsOf();
  for (const name of Array.from({ length: 20 }, (_, index) => `sluice_many_${index}`)) {
    const tally = metrics.make.tally(name, 'Many.', ['kind']);
    for (let kind = 0; kind < KINDS; kind += 1) tally.count(`kind-${kind}`);
  }
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const lines = await linesOf(metrics);
  isOver = true;
  assert.ok(lines.length >= 20 * KINDS);
  assert.ok(turns >= 2, `${turns} turns`);
});

test('the text ends with a line end, and no metric stands twice', async () => {
  const { text } = await metricsOf().text();
  assert.ok(text.endsWith('\n'));
  const helps = text.split('\n').filter((line) => line.startsWith('# HELP '));
  assert.equal(new Set(helps.map((line) => line.split(' ')[2])).size, helps.length);
});
