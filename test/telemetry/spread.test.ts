/** A spread writes what prom-client's own histogram would write. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram, Registry } from 'prom-client';
import { Spread } from '../../src/telemetry/spread.ts';

const options = { name: 'sluice_waits_seconds', help: 'Waits.', buckets: [0.1, 0.25, 1] };

test('with labels, the text is the same', async () => {
  const ours = new Registry();
  const theirs = new Registry();
  const spread = new Spread(ours, { ...options, labelNames: ['route', 'model'] });
  const histogram = new Histogram({ ...options, labelNames: ['route', 'model'], registers: [theirs] });
  for (const [model, value] of [
    ['a"b', 0.1],
    ['glm', 0.11],
    ['glm', 5],
    ['glm', 0],
  ] as const) {
    spread.add(`/v1 ${model}`, value);
    histogram.observe({ route: '/v1', model }, value);
  }
  assert.equal(await ours.metrics(), await theirs.metrics());
});

test('without labels, the text is the same, also before the first value', async () => {
  const ours = new Registry();
  const theirs = new Registry();
  const spread = new Spread(ours, { ...options, labelNames: [] });
  const histogram = new Histogram({ ...options, registers: [theirs] });
  assert.equal(await ours.metrics(), await theirs.metrics());
  spread.add('', 0.25);
  histogram.observe(0.25);
  assert.equal(await ours.metrics(), await theirs.metrics());
});
