/** Every refusal and failure arrives in the official client as the error class that its users catch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { simulated } from '../upstream/support/simulated.ts';
import { messages, model, officialClient } from './official.ts';

const house = simulated({
  timeouts: { first_byte_ms: 200, idle_ms: 200 },
  // The long prompts are to reach the server themselves.
  jobs: { oversize: { tokens: false } },
});

async function caught(call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  try {
    await call;
  } catch (error) {
    if (error instanceof OpenAI.APIError) return error;
    throw error;
  }
  throw new Error('there was no error');
}

function once() {
  return officialClient(house.gateway).withOptions({ maxRetries: 0 });
}

test('a wrong key: AuthenticationError', async () => {
  const openai = officialClient(house.gateway, 'sk-not-ours');
  const error = await caught(openai.chat.completions.create({ model, messages }));
  assert.ok(error instanceof OpenAI.AuthenticationError);
  assert.equal(error.code, 'invalid_api_key');
  assert.match(error.requestID ?? '', /^[0-9a-f-]{36}$/);
});

test('an unknown model: NotFoundError, chatting or retrieving', async () => {
  const openai = officialClient(house.gateway);
  const chat = await caught(openai.chat.completions.create({ model: 'none', messages }));
  const retrieved = await caught(openai.models.retrieve('none'));
  for (const error of [chat, retrieved]) {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.deepEqual([error.code, error.param], ['model_not_found', 'model']);
  }
});

test('a fault in the request: BadRequestError with code and parameter', async () => {
  const openai = officialClient(house.gateway);
  const missing = await caught(openai.chat.completions.create({ model } as never));
  assert.ok(missing instanceof OpenAI.BadRequestError);
  assert.deepEqual([missing.code, missing.param], ['missing_required_parameter', 'messages']);
  const wrong = await caught(
    openai.chat.completions.create({ model, messages, temperature: 'hot' as never }),
  );
  assert.ok(wrong instanceof OpenAI.BadRequestError);
  assert.deepEqual(
    [wrong.code, wrong.param, wrong.type],
    ['invalid_value', 'temperature', 'invalid_request_error'],
  );
});

test('what the server refuses arrives with its words and without its name for the model', async () => {
  const openai = officialClient(house.gateway);
  const long = [{ role: 'user' as const, content: 'word '.repeat(40_000) }];
  const error = await caught(openai.chat.completions.create({ model, messages: long }));
  assert.ok(error instanceof OpenAI.BadRequestError);
  assert.match(error.message, /context length/);
  assert.doesNotMatch(error.message, /\/models\//);
});

test('a model that the key may not use: PermissionDeniedError', async () => {
  const { key } = await house.gateway.createKey({ models: ['another'] });
  const error = await caught(officialClient(house.gateway, key).chat.completions.create({ model, messages }));
  assert.ok(error instanceof OpenAI.PermissionDeniedError);
  assert.deepEqual([error.code, error.type], ['model_not_allowed', 'permission_error']);
});

for (const [cut, code] of [
  ['reset', 'upstream_error'],
  ['end', 'upstream_error'],
  ['hang', 'upstream_timeout'],
] as const) {
  test(`a stream that breaks by ${cut} throws APIError behind what has come`, async () => {
    house.simulator.state.addFault({ prompt: cut, cut, cut_after_tokens: 3 });
    const stream = await once().chat.completions.create({
      model,
      messages: [{ role: 'user', content: cut }],
      stream: true,
    });
    let text = '';
    const read = async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    };
    const error = await caught(read());
    assert.equal(error.code, code);
    assert.match(text, /^This is/);
  });
}

test('a server that fails: InternalServerError, tried again as often as the client does', async () => {
  const { state } = house.simulator;
  state.addFault({ prompt: 'twice', status: 500, error_body: 'html', calls: 2 });
  const asked = { model, messages: [{ role: 'user' as const, content: 'twice' }] };
  const answer = await officialClient(house.gateway).chat.completions.create(asked);
  assert.equal(answer.choices[0]?.finish_reason, 'stop');
  state.addFault({ prompt: 'once', status: 500, error_body: 'html', calls: 1 });
  const error = await caught(
    once().chat.completions.create({ model, messages: [{ role: 'user', content: 'once' }] }),
  );
  assert.ok(error instanceof OpenAI.InternalServerError);
  assert.deepEqual([error.status, error.code], [502, 'upstream_error']);
  assert.doesNotMatch(error.message, /html|Traceback/i);
});

test('a server that is silent: 504 with the code for it', async () => {
  house.simulator.state.addFault({ prompt: 'silence', first_token_ms: 60_000 });
  const error = await caught(
    once().chat.completions.create({ model, messages: [{ role: 'user', content: 'silence' }] }),
  );
  assert.deepEqual([error.status, error.code], [504, 'upstream_timeout']);
});
