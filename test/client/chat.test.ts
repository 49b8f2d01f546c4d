/** The official client chats through the gateway: whole, streamed, with and without usage, and with images. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SERVED, simulated } from '../upstream/support/simulated.ts';
import { messages, model, officialClient, words } from './official.ts';

const house = simulated();

test('chat: the text, the usage, and the name that was asked for', async () => {
  const openai = officialClient(house.gateway);
  const answer = await openai.chat.completions.create({ model, messages, max_tokens: 6 });
  assert.equal(answer.choices[0]?.message.content, words);
  assert.equal(answer.choices[0]?.finish_reason, 'length');
  assert.equal(answer.usage?.completion_tokens, 6);
  assert.equal(answer.model, model);
  assert.match(answer._request_id ?? '', /^[0-9a-f-]{36}$/);
});

test('streamed chat: piece by piece, without a usage chunk that nobody asked for', async () => {
  const openai = officialClient(house.gateway);
  const stream = await openai.chat.completions.create({ model, messages, max_tokens: 6, stream: true });
  let text = '';
  for await (const chunk of stream) {
    assert.equal(chunk.choices.length, 1);
    assert.equal(chunk.model, model);
    assert.equal(chunk.usage ?? null, null);
    text += chunk.choices[0]?.delta.content ?? '';
  }
  assert.equal(text, words);
  const { stream_options } = JSON.parse(String(house.simulator.state.last?.body));
  assert.deepEqual(stream_options, { include_usage: true });
});

test('streamed chat with usage: it comes last, and is what the gateway counted', async () => {
  const openai = officialClient(house.gateway);
  const request = {
    model,
    messages,
    max_tokens: 6,
    stream: true,
    stream_options: { include_usage: true },
  } as const;
  const { data: stream, request_id } = await openai.chat.completions.create(request).withResponse();
  const chunks = await Array.fromAsync(stream);
  const last = chunks.at(-1);
  assert.deepEqual(last?.choices, []);
  assert.equal(last?.usage?.completion_tokens, 6);
  assert.equal(chunks.filter(({ usage }) => usage).length, 1);
  const lines = await house.gateway.logLines(3);
  const line = lines.find((one) => one.request_id === request_id);
  assert.deepEqual([line?.tokens_in, line?.tokens_out], [last?.usage?.prompt_tokens, 6]);
  assert.equal(line?.outcome, 'completed');
});

test('the helper that gathers a stream', async () => {
  const openai = officialClient(house.gateway);
  const stream = openai.chat.completions.stream({ model, messages, max_tokens: 6 });
  const answer = await stream.finalChatCompletion();
  assert.equal(answer.choices[0]?.message.content, words);
  assert.equal(answer.model, model);
});

test('several choices, streamed', async () => {
  const openai = officialClient(house.gateway);
  const stream = await openai.chat.completions.create({ model, messages, n: 3, max_tokens: 6, stream: true });
  const texts = ['', '', ''];
  for await (const { choices } of stream) {
    for (const { index, delta } of choices) texts[index] += delta.content ?? '';
  }
  assert.deepEqual(texts, [words, words, words]);
});

test('images as data URLs reach the server as they are', async () => {
  const openai = officialClient(house.gateway);
  const url = `data:image/png;base64,${Buffer.alloc(300_000, 7).toString('base64')}`;
  const answer = await openai.chat.completions.create({
    model,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image_url', image_url: { url, detail: 'high' } },
        ],
      },
    ],
  });
  assert.equal(answer.choices[0]?.finish_reason, 'stop');
  const sent = JSON.parse(String(house.simulator.state.last?.body));
  assert.equal(sent.messages[0].content[1].image_url.url, url);
  assert.equal(sent.model, SERVED);
});

test('completions, whole and streamed', async () => {
  const openai = officialClient(house.gateway);
  const request = { model, prompt: 'Once', max_tokens: 6 };
  const whole = await openai.completions.create(request);
  assert.deepEqual([whole.choices[0]?.text, whole.model], [words, model]);
  let text = '';
  for await (const chunk of await openai.completions.create({ ...request, stream: true })) {
    assert.equal(chunk.model, model);
    text += chunk.choices[0]?.text ?? '';
  }
  assert.equal(text, words);
});
