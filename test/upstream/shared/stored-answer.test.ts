/** A stored answer is played as if the GPU server gave it now: mapped for its caller, at the caller's pace. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { SERVED, sharingHouse } from './house.ts';

const house = sharingHouse({ tokens: 20, bytesMax: 8_000_000 });
afterEach(() => {
  house.ends.length = 0;
});

for (const stream of [true, false]) {
  test(`played again, a ${stream ? 'stream' : 'JSON answer'} is the same byte for byte, and costs a request`, async () => {
    const { ask, ends, settled, observed, simulator } = house;
    const first = await (await ask('made', { content: `stored ${stream}`, stream })).text();
    await until(() => ends.length === 1);
    const [end] = ends;
    assert.ok(end?.kind === 'whole');
    assert.match(end.answer.body.toString(), new RegExp(`"model":"${SERVED}"`));
    house.stored = end.answer;
    const { started } = simulator.state.counts;
    const again = await ask('again', { stored: true });
    assert.equal(
      again.headers.get('content-type'),
      stream ? 'text/event-stream; charset=utf-8' : 'application/json',
    );
    assert.equal(await again.text(), first);
    assert.equal(simulator.state.counts.started, started);
    await until(() => settled.has('again') && observed.has('again'));
    const { requests, inputTokens, outputTokens, costNano } = settled.get('again')?.settlement?.spent ?? {};
    assert.deepEqual([requests, inputTokens, outputTokens, costNano], [1, 0, 0, 0]);
    assert.equal(observed.get('again')?.answeredFrom, 'cache');
    settled.clear();
    observed.clear();
  });
}

test('a refusal of the server that was stored is refused again, without the name of its model', async () => {
  const { ask } = house;
  const body = Buffer.from(`{"error":{"message":"${SERVED} cannot do that"}}`);
  house.stored = {
    ...{ status: 400, contentType: 'application/json', body },
    ...{ upstream: 'simulated', upstreamModel: SERVED },
  };
  const answer = await ask('refused', { stored: true });
  assert.equal(answer.status, 400);
  assert.match(await answer.text(), /"message":"public cannot do that"/);
});

test('a long one comes whole to a caller who reads slowly', async () => {
  const { ask, ends, simulator } = house;
  simulator.state.addFault({ prompt: 'long', answer_bytes: 4_000_000 });
  const first = await (await ask('long', { content: 'long' })).text();
  await until(() => ends.length === 1);
  const [end] = ends;
  assert.ok(end?.kind === 'whole');
  house.stored = end.answer;
  const pieces: Uint8Array[] = [];
  for await (const piece of (await ask('slowly', { stored: true })).body ?? []) {
    pieces.push(piece as Uint8Array);
    if (pieces.length % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.equal(Buffer.concat(pieces).toString(), first);
});
