/** Equal calls in flight are answered by one upstream call, byte for byte alike, and the first one pays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { sharingHouse } from './house.ts';

const house = sharingHouse({ tokens: 40, tokenMs: 10 });
const request = { requests: 1, inputTokens: 0, outputTokens: 0, images: 0, gpuMs: 0, costNano: 0 };

test('20 equal streams cost one upstream call and are alike byte for byte', async () => {
  const { simulator, ask, settled } = house;
  const before = simulator.state.counts.started;
  const first = await ask('first');
  const answers = await Promise.all([
    first,
    ...Array.from({ length: 19 }, (_, index) => ask(`other-${index}`)),
  ]);
  const texts = await Promise.all(answers.map((answer) => answer.text()));
  assert.equal(simulator.state.counts.started - before, 1);
  assert.match(texts[0] ?? '', /data: \[DONE\]\n\n$/);
  assert.equal(new Set(texts).size, 1);
  assert.doesNotMatch(texts[0] ?? '', /usage|\/models\/simulated/);

  await until(() => settled.size === 20);
  const { how, settlement } = settled.get('first') ?? {};
  assert.equal(how, 'finished');
  assert.deepEqual(
    [settlement?.status, settlement?.spent.requests, settlement?.spent.outputTokens],
    [200, 1, 40],
  );
  assert.ok((settlement?.spent.inputTokens ?? 0) > 0);
  const others = [...settled].filter(([id]) => id.startsWith('other'));
  assert.equal(others.length, 19);
  for (const [, other] of others)
    assert.deepEqual([other.how, other.settlement?.spent], ['finished', request]);
});

test('what is logged of them says where the answer came from, and which server gave it', async () => {
  const { ask, observed } = house;
  const leader = await ask('log-first');
  await (await ask('log-second')).text();
  await leader.text();
  await until(() => observed.has('log-first') && observed.has('log-second'));
  const [first, second] = ['log-first', 'log-second'].map((id) => observed.get(id));
  assert.deepEqual([first?.answeredFrom, first?.attempts, first?.upstream], ['upstream', 1, 'simulated']);
  assert.deepEqual([second?.answeredFrom, second?.attempts, second?.upstream], ['shared', 0, 'simulated']);
  assert.equal(first?.usage?.outputTokens, 40);
  assert.ok((first?.gpuMs ?? 0) > 0);
});

test('equal JSON calls are alike too, and name the model as their callers did', async () => {
  const { simulator, ask } = house;
  const before = simulator.state.counts.started;
  const texts = await Promise.all(
    ['a', 'b', 'c'].map(async (id) => (await ask(id, { stream: false, content: 'json' })).text()),
  );
  assert.equal(simulator.state.counts.started - before, 1);
  assert.equal(new Set(texts).size, 1);
  assert.equal(JSON.parse(texts[0] as string).model, 'public');
});

test('calls that differ, and those that come after the end, have upstream calls of their own', async () => {
  const { simulator, ask, shared } = house;
  const before = simulator.state.counts.started;
  await Promise.all(['x', 'y'].map(async (content) => (await ask(content, { content })).text()));
  await (await ask('z', { content: 'y' })).text();
  assert.equal(simulator.state.counts.started - before, 3);
  assert.equal(shared.size, 0);
});

test('who comes late gets everything from the beginning', async () => {
  const { simulator, ask } = house;
  const before = simulator.state.counts.started;
  const early = await ask('early', { content: 'late' });
  const reader = (early.body as ReadableStream<Uint8Array>).getReader();
  const pieces: Uint8Array[] = [];
  while (pieces.length < 15) {
    const { value } = await reader.read();
    if (value) pieces.push(value);
  }
  const late = (await ask('late', { content: 'late' })).text();
  for (let next = await reader.read(); !next.done; next = await reader.read()) pieces.push(next.value);
  assert.equal(await late, Buffer.concat(pieces).toString());
  assert.equal(simulator.state.counts.started - before, 1);
});
