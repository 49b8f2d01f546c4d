/** The official client takes the simulator for the real thing. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import OpenAI from 'openai';
import { startSimulator } from './support/simulator.ts';

const model = 'sim-small';
const messages = [{ role: 'user' as const, content: 'What is the weather in Paris?' }];
const weather = {
  name: 'weather',
  parameters: {
    type: 'object',
    properties: {
      city: { type: 'string' },
      days: { type: 'integer', minimum: 2 },
      unit: { enum: ['c', 'f'] },
    },
  },
};
const expectedArguments = { city: 'simulated', days: 2, unit: 'c' };

async function client(t: TestContext) {
  const { url } = await startSimulator(t, { models: [model], apiKey: 'secret' });
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'secret', maxRetries: 0 });
}

test('chat: text, usage, and a label that says what it is', async (t) => {
  const openai = await client(t);
  const answer = await openai.chat.completions.create({ model, messages, max_tokens: 6 });
  assert.equal(answer.choices[0]?.message.content, 'This is a simulated answer.');
  assert.equal(answer.choices[0]?.finish_reason, 'length');
  assert.equal(answer.system_fingerprint, 'sluice-simulator');
  assert.equal(answer.usage?.completion_tokens, 6);
});

test('streamed chat: the same text piece by piece, usage last', async (t) => {
  const openai = await client(t);
  const stream = await openai.chat.completions.create({
    model,
    messages,
    max_tokens: 6,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = '';
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    if (chunk.choices.length === 0) usage = chunk.usage;
  }
  assert.equal(text, 'This is a simulated answer.');
  assert.equal(usage?.completion_tokens, 6);
});

test('tools: the first one is called with arguments that fit its schema, streamed or not', async (t) => {
  const openai = await client(t);
  const tools = [{ type: 'function' as const, function: weather }];
  const answer = await openai.chat.completions.create({ model, messages, tools });
  const call = answer.choices[0]?.message.tool_calls?.[0];
  assert.equal(answer.choices[0]?.finish_reason, 'tool_calls');
  assert.ok(call?.type === 'function');
  assert.equal(call.function.name, 'weather');
  assert.deepEqual(JSON.parse(call.function.arguments), expectedArguments);

  const streamed = await openai.chat.completions.stream({ model, messages, tools }).finalChatCompletion();
  const again = streamed.choices[0]?.message.tool_calls?.[0];
  assert.ok(again?.type === 'function');
  assert.deepEqual(JSON.parse(again.function.arguments), expectedArguments);
  assert.equal(streamed.choices[0]?.finish_reason, 'tool_calls');
});

test('a result of a tool is answered in words, and tool_choice none calls nothing', async (t) => {
  const openai = await client(t);
  const tools = [{ type: 'function' as const, function: weather }];
  const toolCalls = [
    { id: 'call_1', type: 'function' as const, function: { name: 'weather', arguments: '{}' } },
  ];
  const after = await openai.chat.completions.create({
    model,
    tools,
    messages: [
      ...messages,
      { role: 'assistant', tool_calls: toolCalls },
      { role: 'tool', tool_call_id: 'call_1', content: 'sunny' },
    ],
  });
  assert.equal(after.choices[0]?.finish_reason, 'stop');
  const none = await openai.chat.completions.create({ model, messages, tools, tool_choice: 'none' });
  assert.match(none.choices[0]?.message.content ?? '', /^This is a simulated answer/);
});

test('embeddings: unit vectors, the same for the same text', async (t) => {
  const openai = await client(t);
  const { data, usage } = await openai.embeddings.create({
    model,
    input: ['one', 'two', 'one'],
    dimensions: 8,
  });
  assert.equal(data.length, 3);
  assert.deepEqual(data[0]?.embedding, data[2]?.embedding);
  assert.notDeepEqual(data[0]?.embedding, data[1]?.embedding);
  const norm = Math.hypot(...(data[0]?.embedding ?? []));
  assert.ok(Math.abs(norm - 1) < 1e-5, `norm ${norm}`);
  assert.equal(usage.prompt_tokens, 3);
});

test('responses: whole, and as the sequence of events that ends with usage', async (t) => {
  const openai = await client(t);
  const request = { model, input: 'Hello', max_output_tokens: 6 };
  const whole = await openai.responses.create(request);
  assert.equal(whole.output_text, 'This is a simulated answer.');
  assert.equal(whole.status, 'incomplete');
  assert.equal(whole.usage?.output_tokens, 6);

  const types: string[] = [];
  const numbers: number[] = [];
  let text = '';
  for await (const event of await openai.responses.create({ ...request, stream: true })) {
    if (event.type !== types.at(-1)) types.push(event.type);
    numbers.push(event.sequence_number);
    if (event.type === 'response.output_text.delta') text += event.delta;
    if (event.type === 'response.completed') assert.equal(event.response.usage?.total_tokens, 8);
  }
  assert.equal(text, 'This is a simulated answer.');
  assert.deepEqual(numbers, [...numbers.keys()]);
  assert.deepEqual(types, [
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ]);
});

test('responses: a function is called, streamed or not', async (t) => {
  const openai = await client(t);
  const tools = [{ type: 'function' as const, strict: null, ...weather }];
  const whole = await openai.responses.create({ model, input: 'Weather?', tools });
  const streamed = await openai.responses.stream({ model, input: 'Weather?', tools }).finalResponse();
  for (const { output } of [whole, streamed]) {
    assert.ok(output[0]?.type === 'function_call');
    assert.deepEqual(JSON.parse(output[0].arguments), expectedArguments);
  }
});

test('completions, models and errors', async (t) => {
  const openai = await client(t);
  const completion = await openai.completions.create({ model, prompt: 'Once', max_tokens: 2 });
  assert.equal(completion.choices[0]?.text, 'This is');
  const models = await openai.models.list();
  assert.deepEqual(
    models.data.map(({ id, owned_by }) => [id, owned_by]),
    [[model, 'sluice-simulator']],
  );
  await assert.rejects(openai.chat.completions.create({ model: 'none', messages }), OpenAI.NotFoundError);
});
