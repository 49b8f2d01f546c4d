/** The official client reads answers with a suffix as it reads any other, and none is billed for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulated } from '../upstream/support/simulated.ts';
import { messages, model, officialClient, words } from './official.ts';

const house = simulated({
  policies: [{ name: 'signed', suffix_text: '\n— {tenant} "{request_id}"' }],
  defaults: { tenant: { policy: 'signed' } },
});
const chat = { model, messages, max_tokens: 6 };
const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }];

function signed(id: string | null | undefined): string {
  return `${words}\n— acme "${id}"`;
}

async function lineOf(id: string | null | undefined): Promise<Record<string, unknown>> {
  for (let count = 1; ; count += 1) {
    const line = (await house.gateway.logLines(count)).find(({ request_id }) => request_id === id);
    if (line) return line;
  }
}

test('chat, whole and streamed, once for each choice', async () => {
  const { completions } = officialClient(house.gateway).chat;
  const { data: whole, request_id } = await completions.create({ ...chat, n: 2 }).withResponse();
  assert.deepEqual(
    whole.choices.map(({ message }) => message.content),
    Array(2).fill(signed(request_id)),
  );
  assert.equal(whole.usage?.completion_tokens, 12);

  const stream = await completions.create({ ...chat, n: 2, stream: true }).withResponse();
  const said = ['', ''];
  const ends = [0, 0];
  for await (const { choices } of stream.data) {
    for (const { index, delta, finish_reason } of choices) {
      assert.equal(ends[index], 0, 'nothing comes behind the end');
      said[index] += delta.content ?? '';
      if (finish_reason) ends[index] = 1;
    }
  }
  assert.deepEqual(said, Array(2).fill(signed(stream.request_id)));
  const { outcome, tokens_out } = await lineOf(stream.request_id);
  assert.deepEqual([outcome, tokens_out], ['completed', 12]);
});

test('the streaming helpers', async () => {
  const openai = officialClient(house.gateway);
  const whole = await openai.chat.completions.stream(chat).finalMessage();
  assert.match(String(whole.content), /^This is a simulated answer\.\n— acme "[\w-]+"$/);
  const response = await openai.responses
    .stream({ model, input: 'Hello', max_output_tokens: 6 })
    .finalResponse();
  assert.match(response.output_text, /^This is a simulated answer\.\n— acme "[\w-]+"$/);
});

test('completions, whole and streamed', async () => {
  const { completions } = officialClient(house.gateway);
  const asked = { model, prompt: ['a', 'b'], max_tokens: 6 };
  const { data: whole, request_id } = await completions.create(asked).withResponse();
  assert.deepEqual(
    whole.choices.map(({ text }) => text),
    Array(2).fill(signed(request_id)),
  );
  const stream = await completions.create({ ...asked, stream: true }).withResponse();
  const said = ['', ''];
  for await (const { choices } of stream.data) for (const { index, text } of choices) said[index] += text;
  assert.deepEqual(said, Array(2).fill(signed(stream.request_id)));
});

test('responses, whole and streamed: every event in its order', async () => {
  const { responses } = officialClient(house.gateway);
  const asked = { model, input: 'Hello', max_output_tokens: 6 };
  const { data: whole, request_id } = await responses.create(asked).withResponse();
  assert.equal(whole.output_text, signed(request_id));
  const stream = await responses.create({ ...asked, stream: true }).withResponse();
  let said = '';
  const numbers: number[] = [];
  for await (const event of stream.data) {
    numbers.push(event.sequence_number);
    if (event.type === 'response.output_text.delta') said += event.delta;
    if (event.type === 'response.output_text.done') assert.equal(event.text, signed(stream.request_id));
    if (event.type === 'response.completed')
      assert.equal(JSON.stringify(event.response.output).split('acme').length, 2);
  }
  assert.equal(said, signed(stream.request_id));
  assert.deepEqual(numbers, [...numbers.keys()]);
});

test('calls of tools and JSON that was asked for come without', async () => {
  const { completions } = officialClient(house.gateway).chat;
  const called = await completions.create({ ...chat, tools, tool_choice: 'required' });
  assert.equal(called.choices[0]?.message.content, null);
  assert.equal(JSON.stringify(called).includes('acme'), false);
  const stream = await completions.create({ ...chat, tools, tool_choice: 'required', stream: true });
  for await (const chunk of stream) assert.equal(JSON.stringify(chunk).includes('acme'), false);
  for (const streamed of [false, true]) {
    const asked = { ...chat, stream: streamed, response_format: { type: 'json_object' as const } };
    const answer = await (await completions.create(asked).asResponse()).text();
    assert.equal(answer.includes('acme'), false);
  }
});
