/** What goes wrong with a shared upstream call is told to all who listen, to each as if it were alone. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { refusal } from '../../../src/core/errors.ts';
import { until } from '../../support/gateway.ts';
import { sharingHouse } from './house.ts';

const house = sharingHouse({
  ...{ tokens: 20, tokenMs: 20 },
  timeouts: { first_byte_ms: 300, idle_ms: 300, total_ms: 30_000 },
});
const ids = ['one', 'two', 'three'];
afterEach(() => {
  house.simulator.state.clearFaults();
  house.settled.clear();
  house.ends.length = 0;
});

const askAll = (content: string, wishes = {}) =>
  Promise.all(ids.map((id) => house.ask(id, { content, ...wishes })));
const textsOf = (answers: Response[]) => Promise.all(answers.map((answer) => answer.text()));

test('the server dies in the middle of a stream: all get the error event, and no [DONE]', async () => {
  const { simulator, settled, ends } = house;
  const { started } = simulator.state.counts;
  simulator.state.addFault({ prompt: 'dies', cut: 'reset', cut_after_tokens: 10 });
  const texts = await textsOf(await askAll('dies'));
  assert.equal(simulator.state.counts.started, started + 1);
  assert.equal(new Set(texts).size, 1);
  assert.match(texts[0] ?? '', /data: \{"error":\{"message":"The model server broke off/);
  assert.doesNotMatch(texts[0] ?? '', /\[DONE\]/);
  await until(() => settled.size === 3);
  const paid = [...settled.values()].map(({ settlement }) => settlement?.spent);
  assert.deepEqual(
    paid.map((spent) => spent?.requests),
    [1, 1, 1],
  );
  assert.equal(paid.filter((spent) => (spent?.outputTokens ?? 0) > 0).length, 1);
  assert.deepEqual(
    ends.map(({ kind }) => kind),
    ['failed', 'failed', 'failed'],
  );
});

test('the server fails before the first byte: all get the error, and nobody pays', async () => {
  const { simulator, settled } = house;
  simulator.state.addFault({ prompt: 'fails', status: 500, first_token_ms: 100 });
  const answers = await askAll('fails');
  assert.deepEqual(
    answers.map(({ status }) => status),
    [502, 502, 502],
  );
  await until(() => settled.size === 3);
  for (const { how, settlement } of settled.values()) {
    assert.deepEqual(
      [how, settlement?.status, settlement?.spent.requests, settlement?.spent.costNano],
      ['failed', 502, 0, 0],
    );
  }
});

test('the server refuses the request: all get its words, each pays for a request, and the answer is told', async () => {
  const { simulator, settled, ends } = house;
  simulator.state.addFault({ prompt: 'refused', status: 422, first_token_ms: 100 });
  const answers = await askAll('refused');
  const texts = await textsOf(answers);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [422, 422, 422],
  );
  assert.equal(new Set(texts).size, 1);
  await until(() => settled.size === 3);
  for (const { settlement } of settled.values()) {
    assert.deepEqual([settlement?.spent.requests, settlement?.spent.outputTokens], [1, 0]);
  }
  assert.deepEqual(
    ends.map(({ kind }) => kind),
    ['refused', 'refused', 'refused'],
  );
});

test('a server that says nothing is given up for all when its time is over, and is blamed once', async (t) => {
  const { simulator, upstream } = house;
  const failed = t.mock.method(upstream.serverHealth, 'failed');
  simulator.state.addFault({ prompt: 'silent', cut: 'hang' });
  const answers = await askAll('silent');
  assert.deepEqual(
    answers.map(({ status }) => status),
    [504, 504, 504],
  );
  assert.equal(failed.mock.callCount(), 1);
});

test('a stream that stops in the middle ends for all with an error event', async () => {
  const { simulator } = house;
  simulator.state.addFault({ prompt: 'stops', cut: 'hang', cut_after_tokens: 3 });
  const texts = await textsOf(await askAll('stops'));
  for (const text of texts) assert.match(text, /data: \{"error":\{"message":"The model server stopped/);
});

test('the end of the process breaks off callers, and what goes on without them', async () => {
  const { exchanges, shared, ask, settled } = house;
  const leaving = new AbortController();
  await ask('kept', { content: 'kept', kept: true, signal: leaving.signal });
  leaving.abort();
  const listening = await askAll('listening');
  await until(() => exchanges.size === 3);
  assert.equal(shared.size, 2);
  const goodbye = refusal('draining', 'The gateway is shutting down.');
  exchanges.breakOff(goodbye);
  shared.breakOff(goodbye);
  assert.equal(shared.size, 0);
  for (const text of await textsOf(listening))
    assert.match(text, /data: \{"error":\{"message":"The gateway is/);
  await until(() => settled.size === 4);
});
