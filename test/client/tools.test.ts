/** The official client's tool calls through the gateway, plain and with its streaming helpers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulated } from '../upstream/support/simulated.ts';
import { messages, model, officialClient } from './official.ts';

const house = simulated();

const parameters = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } };
const tools = [{ type: 'function' as const, function: { name: 'weather', parameters } }];

test('a tool is called, and its arguments are whole', async () => {
  const openai = officialClient(house.gateway);
  const answer = await openai.chat.completions.create({ model, messages, tools });
  const call = answer.choices[0]?.message.tool_calls?.[0];
  assert.ok(call?.type === 'function');
  assert.equal(call.function.name, 'weather');
  assert.equal(JSON.parse(call.function.arguments).city, 'simulated');
});

test('streamed, its arguments come in pieces and make the same', async () => {
  const openai = officialClient(house.gateway);
  const stream = await openai.chat.completions.create({ model, messages, tools, stream: true });
  let pieces = 0;
  let text = '';
  for await (const { choices } of stream) {
    const piece = choices[0]?.delta.tool_calls?.[0]?.function?.arguments;
    if (piece === undefined) continue;
    pieces += 1;
    text += piece;
  }
  assert.ok(pieces > 1);
  assert.equal(JSON.parse(text).city, 'simulated');
});

test('the streaming helper runs the tool and sends its result back', async () => {
  const openai = officialClient(house.gateway);
  const asked: unknown[] = [];
  const weather = {
    type: 'function' as const,
    function: {
      name: 'weather',
      description: 'Tells the weather.',
      parameters,
      parse: JSON.parse as (text: string) => object,
      function: (given: object) => {
        asked.push(given);
        return 'sunny';
      },
    },
  };
  const runner = openai.chat.completions.runTools({ model, messages, tools: [weather], stream: true });
  const text = await runner.finalContent();
  assert.equal(asked.length, 1);
  assert.match(text ?? '', /^This is a simulated answer/);
});

test('a function of the Responses API, plain and streamed', async () => {
  const openai = officialClient(house.gateway);
  const functions = [{ type: 'function' as const, strict: null, name: 'weather', parameters }];
  const request = { model, input: 'Weather?', tools: functions };
  const whole = await openai.responses.create(request);
  const streamed = await openai.responses.stream(request).finalResponse();
  for (const { output } of [whole, streamed]) {
    assert.ok(output[0]?.type === 'function_call');
    assert.equal(JSON.parse(output[0].arguments).city, 'simulated');
  }
});
