/** Who shares an upstream call may leave at any time: it goes on for the others, and ends with the last. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { sharingHouse } from './house.ts';

/** What is promised; a noisy machine is given three times that. */
const CLOSED_WITHIN_MS = 200;

const house = sharingHouse({ tokens: 50, tokenMs: 10 });

test('the first one leaves: the others get the whole answer, and it pays the whole call', async () => {
  const { simulator, ask, settled, observed } = house;
  const before = { ...simulator.state.counts };
  const leaving = new AbortController();
  await ask('payer', { content: 'left', signal: leaving.signal });
  const other = await ask('stays', { content: 'left' });
  leaving.abort();
  assert.match(await other.text(), /data: \[DONE\]\n\n$/);
  await until(() => settled.has('payer') && settled.has('stays') && observed.has('payer'));
  assert.equal(simulator.state.counts.started - before.started, 1);
  assert.equal(simulator.state.counts.cancelled - before.cancelled, 0);
  const { how, settlement } = settled.get('payer') ?? {};
  assert.deepEqual([how, settlement?.status, settlement?.spent.outputTokens], ['finished', 499, 50]);
  assert.equal(settled.get('stays')?.settlement?.spent.outputTokens, 0);
  // Its log line waits for the cost.
  assert.equal(observed.get('payer')?.usage?.outputTokens, 50);
});

test('all leave: the upstream call is closed at once, and the first one pays for what had come', async () => {
  const { simulator, ask, settled, shared } = house;
  const { cancelled } = simulator.state.counts;
  const leaving = new AbortController();
  const ids = ['gone-payer', 'gone-1', 'gone-2'];
  const [answer] = [
    await ask('gone-payer', { content: 'gone', signal: leaving.signal }),
    await ask('gone-1', { content: 'gone', signal: leaving.signal }),
    await ask('gone-2', { content: 'gone', signal: leaving.signal }),
  ];
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  for (let words = 0; words < 10; words += 1) await reader.read();
  leaving.abort();
  const leftAtMs = performance.now();
  await simulator.state.until((counts) => counts.cancelled === cancelled + 1);
  const tookMs = performance.now() - leftAtMs;
  assert.ok(tookMs < CLOSED_WITHIN_MS * 3, `${tookMs} ms`);
  await until(() => ids.every((id) => settled.has(id)));
  const { how, settlement } = settled.get('gone-payer') ?? {};
  assert.deepEqual([how, settlement?.status, settlement?.spent.requests], ['client_gone', 499, 1]);
  const tokens = settlement?.spent.outputTokens ?? 0;
  assert.ok(tokens > 0 && tokens < 50, `${tokens} tokens`);
  assert.equal(shared.size, 0);
});

test('a call that is kept goes on although nobody listens, and its answer is told', async () => {
  const { simulator, ask, settled, ends, shared } = house;
  const { cancelled } = simulator.state.counts;
  ends.length = 0;
  const leaving = new AbortController();
  await ask('kept', { content: 'kept', kept: true, signal: leaving.signal });
  leaving.abort();
  await until(() => ends.length === 1);
  const [end] = ends;
  assert.equal(end?.kind, 'whole');
  assert.match(end?.kind === 'whole' ? end.answer.body.toString() : '', /"usage":\{.*data: \[DONE\]\n\n$/s);
  assert.deepEqual(
    [settled.get('kept')?.how, settled.get('kept')?.settlement?.spent.outputTokens],
    ['finished', 50],
  );
  assert.equal(simulator.state.counts.cancelled, cancelled);
  assert.equal(shared.size, 0);
});

test('who comes back while a call is kept gets its answer from the beginning', async () => {
  const { simulator, ask } = house;
  const { started } = simulator.state.counts;
  const leaving = new AbortController();
  await ask('away', { content: 'back', kept: true, signal: leaving.signal });
  leaving.abort();
  const text = await (await ask('back', { content: 'back', kept: true })).text();
  assert.equal(text.match(/"content":"[^"]/g)?.length, 50);
  assert.match(text, /data: \[DONE\]\n\n$/);
  assert.equal(simulator.state.counts.started, started + 1);
});
