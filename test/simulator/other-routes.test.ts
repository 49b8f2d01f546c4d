/** The routes beside chat. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataOf, hello, json, post, startSimulator } from './support/simulator.ts';

test('completions: one choice per prompt, logprobs, a stream that ends with [DONE]', async (t) => {
  const { url } = await startSimulator(t, { tokens: 2 });
  const request = { prompt: ['one', 'two'], logprobs: 1 };
  const whole = await json(post(`${url}/v1/completions`, request));
  assert.equal(whole.object, 'text_completion');
  assert.equal(whole.choices.length, 2);
  assert.deepEqual(whole.choices[0].logprobs.text_offset, [0, 4]);
  assert.equal(whole.usage.completion_tokens, 4);
  const stream = await (
    await post(`${url}/v1/completions`, { prompt: 'x', stream: true, logprobs: 0 })
  ).text();
  const chunks = dataOf(stream);
  assert.deepEqual(
    chunks.map(({ choices }) => choices[0].text),
    ['This', ' is', ''],
  );
  assert.deepEqual(chunks[1].choices[0].logprobs.text_offset, [4]);
  assert.equal(chunks[2].choices[0].finish_reason, 'stop');
  assert.ok(stream.endsWith('data: [DONE]\n\n'));
});

test('embeddings come as numbers or base64, and take token ids', async (t) => {
  const { url } = await startSimulator(t);
  const request = { input: [[1, 2, 3]], dimensions: 4 };
  const plain = await json(post(`${url}/v1/embeddings`, request));
  const packed = await json(post(`${url}/v1/embeddings`, { ...request, encoding_format: 'base64' }));
  const bytes = Buffer.from(packed.data[0].embedding, 'base64');
  assert.equal(plain.usage.prompt_tokens, 4);
  assert.deepEqual(
    plain.data[0].embedding,
    [0, 4, 8, 12].map((at) => bytes.readFloatLE(at)),
  );
});

test('rerank puts the document that shares most words first', async (t) => {
  const { url } = await startSimulator(t);
  const documents = ['nothing here', 'the red fox', { text: 'a red fox' }];
  for (const path of ['/v1/rerank', '/rerank']) {
    const { results } = await json(post(url + path, { query: 'a red fox', documents, top_n: 2 }));
    assert.deepEqual(
      results.map(({ index }: { index: number }) => index),
      [2, 1],
    );
    assert.equal(results[0].relevance_score, 1);
    assert.deepEqual(results[0].document, { text: 'a red fox' });
  }
});

test('score compares one text with many', async (t) => {
  const { url } = await startSimulator(t);
  const { data } = await json(post(`${url}/v1/score`, { text_1: 'a b', text_2: ['a b', 'c'] }));
  assert.deepEqual(
    data,
    [1, 0].map((score, index) => ({ index, object: 'score', score })),
  );
});

test('tokenize counts as usage does, and detokenize gives the text back', async (t) => {
  const { url } = await startSimulator(t, { contextLength: 100 });
  const prompt = 'Größe, 模型 and 🎉';
  const { tokens, count, max_model_len } = await json(post(`${url}/tokenize`, { prompt }));
  assert.equal(max_model_len, 100);
  assert.equal(count, tokens.length);
  const { usage } = await json(post(`${url}/v1/completions`, { prompt }));
  assert.equal(count, usage.prompt_tokens);
  const { prompt: back } = await json(post(`${url}/detokenize`, { tokens }));
  assert.equal(back, prompt);
});

test('/predict is a plain model server', async (t) => {
  const { url } = await startSimulator(t, { apiKey: 'secret', contextLength: 1 });
  const answer = await post(`${url}/predict`, { input_data: ['a long text', 'another'] });
  assert.deepEqual(await json(answer), { prediction: ['simulated', 'simulated'], simulated: true });
  assert.equal((await post(`${url}/predict`, {})).status, 422);
});

test('models, health, version', async (t) => {
  const { url } = await startSimulator(t, { models: ['a', '/models/b'], contextLength: 4096 });
  const { data } = await json(fetch(`${url}/v1/models`));
  assert.deepEqual(
    data.map(({ id, max_model_len }: { id: string; max_model_len: number }) => [id, max_model_len]),
    [
      ['a', 4096],
      ['/models/b', 4096],
    ],
  );
  const health = await fetch(`${url}/health`);
  assert.deepEqual([health.status, await health.text()], [200, '']);
  assert.equal((await json(fetch(`${url}/version`))).version, 'sluice-simulator');
});

test('metrics have the names that a gateway reads, and tell running from waiting', async (t) => {
  const { url, state } = await startSimulator(t, { models: ['m'], runningMax: 2, contextLength: 100 });
  state.addFault({ cut: 'hang' });
  const leaving = new AbortController();
  const calls = [1, 2, 3].map(() => post(`${url}/v1/chat/completions`, hello, { signal: leaving.signal }));
  const refused = Promise.allSettled(calls);
  await state.until(({ running, waiting }) => running === 2 && waiting === 1);
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = (name: string) =>
    Number(text.match(new RegExp(`^vllm:${name}{engine="0",model_name="m"} (.+)$`, 'm'))?.[1]);
  assert.deepEqual([value('num_requests_running'), value('num_requests_waiting')], [2, 1]);
  assert.ok(value('kv_cache_usage_perc') > 0 && value('kv_cache_usage_perc') <= 1);
  assert.equal(value('prompt_tokens_total'), 9);
  leaving.abort();
  await state.until(({ running, waiting, cancelled }) => running === 0 && waiting === 0 && cancelled === 3);
  await refused;
});

test('a call that waits runs when a place is free', async (t) => {
  const { url, state } = await startSimulator(t, { runningMax: 1, firstTokenMs: 5 });
  const answers = await Promise.all([1, 2, 3].map(() => post(`${url}/v1/chat/completions`, hello)));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
  assert.equal(state.counts.finished, 3);
});
