/** Faults and state over HTTP, for a simulator in another process. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hello, json, post, startSimulator } from './support/simulator.ts';

const path = '/v1/chat/completions';

test('a rule befalls the next calls, or those whose prompt holds a text', async (t) => {
  const { url } = await startSimulator(t);
  await post(`${url}/sim/faults`, [
    { status: 500, calls: 2 },
    { status: 503, prompt: 'doomed' },
  ]);
  const status = async (content: string) =>
    (await post(url + path, { messages: [{ role: 'user', content }] })).status;
  assert.deepEqual(
    [await status('a'), await status('doomed'), await status('a'), await status('so doomed')],
    [500, 503, 200, 503],
  );
});

test('later rules lie over earlier ones, headers over both', async (t) => {
  const { url } = await startSimulator(t);
  await post(`${url}/sim/faults`, [{ tokens: 4, status: 500 }, { status: 200 }]);
  await fetch(`${url}/sim/faults`, { method: 'DELETE' });
  await post(`${url}/sim/faults`, [{ tokens: 4 }, { tokens: 3, text: 'a b c d e' }]);
  const call = async (headers: Record<string, string>) =>
    (await json(post(url + path, hello, { headers }))).choices[0].message.content;
  assert.equal(await call({}), 'a b c d e');
  assert.equal(await call({ 'x-sim-text': 'other' }), 'other');
});

test('rules can be listed and dropped', async (t) => {
  const { url } = await startSimulator(t);
  await post(`${url}/sim/faults`, { status: 500, calls: 3 });
  await post(url + path, hello);
  const listed = await json(fetch(`${url}/sim/faults`));
  assert.deepEqual(listed, { rules: [{ status: 500, calls: 2 }], switches: {} });
  await fetch(`${url}/sim/faults`, { method: 'DELETE' });
  assert.equal((await post(url + path, hello)).status, 200);
});

test('a fault that does not exist is refused, in a rule and in a header', async (t) => {
  const { url } = await startSimulator(t);
  for (const wrong of [{ explode: true }, { cut: 'off' }, { status: '500' }, { freeze: true, calls: 1 }, 7]) {
    assert.equal((await post(`${url}/sim/faults`, wrong)).status, 400, JSON.stringify(wrong));
  }
  for (const headers of [{ 'x-sim-explode': '1' }, { 'x-sim-token-ms': 'soon' }] as Record<
    string,
    string
  >[]) {
    assert.equal((await post(url + path, hello, { headers })).status, 400);
  }
  const both = { 'x-sim-tokens': '2', 'x-sim-connection-close': 'true' };
  const answer = await post(url + path, hello, { headers: both });
  assert.equal(answer.headers.get('connection'), 'close');
  assert.equal((await json(answer)).usage.completion_tokens, 2);
});

test('the state tells counts and what came last', async (t) => {
  const { url, state } = await startSimulator(t);
  await post(`${url}${path}?x=1`, hello, { headers: { 'x-marker': 'seen' } });
  await fetch(`${url}/health`);
  const shown = await json(fetch(`${url}/sim/state`));
  assert.equal(shown.finished, 1);
  assert.deepEqual([shown.last.method, shown.last.path], ['POST', path]);
  assert.equal(shown.last.headers['x-marker'], 'seen');
  assert.deepEqual(JSON.parse(shown.last.body), hello);
  assert.equal(state.last?.body.toString(), shown.last.body);
  assert.ok(state.last?.rawHeaders.includes('x-marker'));
});

test('what is shown of a large body is bounded, its size is told', async (t) => {
  const { url } = await startSimulator(t);
  await post(`${url}/predict`, { input_data: 'x'.repeat(200_000) });
  const { last } = await json(fetch(`${url}/sim/state`));
  assert.equal(last.body.length, 65_536);
  assert.equal(last.body_bytes, 200_017);
});

test('two simulators in one process know nothing of each other', async (t) => {
  const [one, other] = await Promise.all([startSimulator(t), startSimulator(t)]);
  one.state.addFault({ status: 500 });
  assert.equal((await post(one.url + path, hello)).status, 500);
  assert.equal((await post(other.url + path, hello)).status, 200);
  assert.deepEqual([one.state.counts.finished, other.state.counts.finished], [1, 1]);
});
