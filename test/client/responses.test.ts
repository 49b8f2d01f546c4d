/** The official client's Responses API through the gateway, whole and as a stream of events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulated } from '../upstream/support/simulated.ts';
import { model, officialClient, words } from './official.ts';

const house = simulated();
const request = { model, input: 'Hello', max_output_tokens: 6 };

test('a whole response', async () => {
  const response = await officialClient(house.gateway).responses.create(request);
  assert.equal(response.output_text, words);
  assert.equal(response.model, model);
  assert.equal(response.usage?.output_tokens, 6);
});

test('a streamed response: every event in its order, the model named as asked, usage counted', async () => {
  const openai = officialClient(house.gateway);
  const { data, request_id } = await openai.responses.create({ ...request, stream: true }).withResponse();
  let text = '';
  const numbers: number[] = [];
  let last = '';
  for await (const event of data) {
    numbers.push(event.sequence_number);
    last = event.type;
    if ('response' in event) assert.equal(event.response.model, model);
    if (event.type === 'response.output_text.delta') text += event.delta;
  }
  assert.equal(text, words);
  assert.deepEqual(numbers, [...numbers.keys()]);
  assert.match(last, /^response\.(completed|incomplete)$/);
  const lines = await house.gateway.logLines(2);
  const line = lines.find((one) => one.request_id === request_id);
  assert.deepEqual([line?.outcome, line?.tokens_out], ['completed', 6]);
});

test('the streaming helper', async () => {
  const openai = officialClient(house.gateway);
  const response = await openai.responses.stream(request).finalResponse();
  assert.equal(response.output_text, words);
});
