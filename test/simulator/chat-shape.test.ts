/** Chat answers have what vLLM's have, parameter by parameter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataOf, hello, json, post, startSimulator } from './support/simulator.ts';

const path = '/v1/chat/completions';

test('max_tokens, max_completion_tokens and ignore_eos decide the length', async (t) => {
  const { url } = await startSimulator(t, { tokens: 5 });
  const lengths = [];
  for (const extra of [
    {},
    { max_tokens: 3 },
    { max_completion_tokens: 4 },
    { max_tokens: 9, ignore_eos: true },
  ]) {
    const { usage, choices } = await json(post(url + path, { ...hello, ...extra }));
    lengths.push([usage.completion_tokens, choices[0].finish_reason]);
  }
  assert.deepEqual(lengths, [
    [5, 'stop'],
    [3, 'length'],
    [4, 'length'],
    [9, 'length'],
  ]);
});

test('a stop sequence ends the text before it and is named', async (t) => {
  const { url } = await startSimulator(t);
  const { choices } = await json(post(url + path, { ...hello, stop: ['never', 'ated'] }));
  assert.equal(choices[0].message.content, 'This is a simul');
  assert.equal(choices[0].finish_reason, 'stop');
  assert.equal(choices[0].stop_reason, 'ated');
});

test('n choices are counted, whole and streamed', async (t) => {
  const { url } = await startSimulator(t, { tokens: 4 });
  const whole = await json(post(url + path, { ...hello, n: 3 }));
  assert.deepEqual(
    whole.choices.map((choice: { index: number }) => choice.index),
    [0, 1, 2],
  );
  assert.equal(whole.usage.completion_tokens, 12);

  const request = { ...hello, n: 2, stream: true, stream_options: { include_usage: true } };
  const chunks = dataOf(await (await post(url + path, request)).text());
  const texts = ['', ''];
  for (const { choices } of chunks)
    for (const { index, delta } of choices) texts[index] += delta.content ?? '';
  assert.deepEqual(texts, ['This is a simulated', 'This is a simulated']);
  assert.equal(chunks.at(-1).usage.completion_tokens, 8);
});

test('usage in a stream: absent, last, or in every chunk', async (t) => {
  const { url } = await startSimulator(t, { tokens: 3 });
  const chunks = async (options: object) =>
    dataOf(await (await post(url + path, { ...hello, stream: true, ...options })).text());
  assert.ok((await chunks({})).every(({ usage, choices }) => usage === undefined && choices.length === 1));
  const last = await chunks({ stream_options: { include_usage: true } });
  assert.deepEqual(last.at(-1).choices, []);
  assert.equal(last.filter(({ usage }) => usage).length, 1);
  const every = await chunks({ stream_options: { include_usage: true, continuous_usage_stats: true } });
  assert.deepEqual(
    every.map(({ usage }) => usage.completion_tokens),
    [0, 1, 2, 3, 3, 3],
  );
});

test('a stream is server-sent events that end with [DONE]', async (t) => {
  const { url } = await startSimulator(t, { tokens: 2 });
  const response = await post(url + path, { ...hello, stream: true });
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  const events = (await response.text()).split('\n\n');
  assert.deepEqual(events.slice(-2), ['data: [DONE]', '']);
  const first = JSON.parse(events[0]?.slice(6) ?? '');
  assert.deepEqual(first.choices[0].delta, { role: 'assistant', content: '' });
  assert.equal(first.object, 'chat.completion.chunk');
});

test('logprobs name every token and as many alternatives as asked for', async (t) => {
  const { url } = await startSimulator(t, { tokens: 3 });
  const request = { ...hello, logprobs: true, top_logprobs: 2 };
  const { choices } = await json(post(url + path, request));
  const { content } = choices[0].logprobs;
  assert.deepEqual(
    content.map(({ token }: { token: string }) => token),
    ['This', ' is', ' a'],
  );
  assert.equal(content[0].top_logprobs.length, 2);
  assert.deepEqual(content[1].bytes, [...Buffer.from(' is')]);
  const chunks = dataOf(await (await post(url + path, { ...request, stream: true })).text());
  assert.equal(chunks[2].choices[0].logprobs.content[0].token, ' is');
});

test('response_format makes the answer JSON of the wanted shape', async (t) => {
  const { url } = await startSimulator(t);
  const content = async (format: object) => {
    const { choices } = await json(post(url + path, { ...hello, response_format: format }));
    return JSON.parse(choices[0].message.content);
  };
  assert.deepEqual(await content({ type: 'json_object' }), { simulated: true });
  const schema = {
    type: 'object',
    properties: { name: { $ref: '#/$defs/name' }, tags: { type: 'array', items: { const: 7 } } },
    $defs: { name: { type: 'string' } },
  };
  assert.deepEqual(await content({ type: 'json_schema', json_schema: { name: 'x', schema } }), {
    name: 'simulated',
    tags: [7],
  });
});

test('prompt tokens are bytes by four, images have a fixed number', async (t) => {
  const { url } = await startSimulator(t);
  const tokens = async (content: unknown) => {
    const answer = await post(url + path, { messages: [{ role: 'user', content }] });
    return (await json(answer)).usage.prompt_tokens;
  };
  assert.equal(await tokens('12345678'), 2);
  assert.equal(await tokens('模型'), 2);
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
  assert.equal(await tokens([{ type: 'text', text: '1234' }, image]), 257);
});

test('a beginning that was seen before is counted as cached', async (t) => {
  const { url } = await startSimulator(t);
  const cached = async (content: string) => {
    const answer = await post(url + path, { messages: [{ role: 'user', content }] });
    return (await json(answer)).usage.prompt_tokens_details.cached_tokens;
  };
  const beginning = 'x'.repeat(600);
  assert.equal(await cached(`${beginning} one`), 0);
  assert.equal(await cached(`${beginning} two`), 128);
  assert.equal(await cached(`y${beginning}`), 0);
});
