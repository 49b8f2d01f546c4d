/** What a bad request gets is what vLLM says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hello, json, post, startSimulator } from './support/simulator.ts';

const path = '/v1/chat/completions';

test('a prompt over the context is a BadRequestError, with the answer counted in', async (t) => {
  const { url } = await startSimulator(t, { contextLength: 10 });
  const fits = await post(url + path, {
    messages: [{ role: 'user', content: 'x'.repeat(20) }],
    max_tokens: 5,
  });
  assert.equal(fits.status, 200);
  const over = await post(url + path, {
    messages: [{ role: 'user', content: 'x'.repeat(20) }],
    max_tokens: 6,
  });
  assert.equal(over.status, 400);
  const { error } = await json(over);
  assert.match(
    error.message,
    /^This model's maximum context length is 10 tokens\. However, you requested 11 tokens/,
  );
  assert.deepEqual(
    { ...error, message: '' },
    { message: '', type: 'BadRequestError', param: null, code: 400 },
  );
});

test('an unknown model is 404, a missing one is the first', async (t) => {
  const { url } = await startSimulator(t, { models: ['a', 'b'] });
  const unknown = await post(url + path, { ...hello, model: 'c' });
  assert.equal(unknown.status, 404);
  assert.deepEqual((await json(unknown)).error, {
    message: 'The model `c` does not exist.',
    type: 'NotFoundError',
    param: 'model',
    code: 404,
  });
  assert.equal((await json(post(url + path, hello))).model, 'a');
  assert.equal((await json(post(url + path, { ...hello, model: 'b' }))).model, 'b');
});

test('broken JSON, something else than an object, and missing messages are 400', async (t) => {
  const { url } = await startSimulator(t);
  for (const body of ['{"messages":', '[]', '{}']) {
    const answer = await post(url + path, body);
    assert.equal(answer.status, 400, body);
    const { error } = await json(answer);
    assert.deepEqual([error.type, error.param, error.code], ['Bad Request', null, 400]);
  }
});

test('the key guards /v1 and nothing else', async (t) => {
  const { url } = await startSimulator(t, { apiKey: 'secret' });
  const without = await post(url + path, hello);
  assert.equal(without.status, 401);
  assert.deepEqual(await json(without), { error: 'Unauthorized' });
  assert.equal((await post(url + path, hello, { headers: { authorization: 'Bearer secret' } })).status, 200);
  assert.equal((await fetch(`${url}/health`)).status, 200);
});

test('unknown paths are 404 and wrong methods 405, as the framework says them', async (t) => {
  const { url } = await startSimulator(t, { models: ['a'] });
  for (const unknown of ['/nowhere', '/v1/models/a']) {
    const answer = await fetch(url + unknown);
    assert.equal(answer.status, 404);
    assert.deepEqual(await json(answer), { detail: 'Not Found' });
  }
  const wrong = await fetch(url + path);
  assert.equal(wrong.status, 405);
  assert.deepEqual(await json(wrong), { detail: 'Method Not Allowed' });
});
