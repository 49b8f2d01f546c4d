/** Each fault does what it says, and only that. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from '../../src/simulator/faults.ts';
import { dataOf, hello, json, post, rawCall, startSimulator } from './support/simulator.ts';

const path = '/v1/chat/completions';
const stream = { ...hello, stream: true };

test('tokens, text and times', async (t) => {
  const { url, state } = await startSimulator(t);
  state.addFault({ tokens: 2 });
  assert.equal((await json(post(url + path, hello))).usage.completion_tokens, 2);
  state.addFault({ text: 'Grüße, 模型 🎉' });
  const chunks = dataOf(await (await post(url + path, stream)).text());
  assert.equal(chunks.map(({ choices }) => choices[0].delta.content ?? '').join(''), 'Grüße, 模型 🎉');
  state.addFault({ first_token_ms: 30, token_ms: 5 });
  const startedMs = performance.now();
  await (await post(url + path, stream)).text();
  assert.ok(performance.now() - startedMs >= 35);
});

test('a status, with a body like vLLM, a page with a stack trace, or none', async (t) => {
  const { url, state } = await startSimulator(t);
  state.addFault({ status: 503, calls: 1 });
  const plain = await post(url + path, hello);
  assert.equal(plain.status, 503);
  assert.equal((await json(plain)).error.type, 'InternalServerError');
  state.addFault({ status: 500, error_body: 'html', calls: 1 });
  const page = await post(url + path, stream);
  assert.deepEqual([page.status, page.headers.get('content-type')], [500, 'text/html; charset=utf-8']);
  assert.match(await page.text(), /Traceback/);
  state.addFault({ status: 429, error_body: 'empty', calls: 1 });
  const empty = await post(url + path, hello);
  assert.deepEqual([empty.status, await empty.text()], [429, '']);
});

test('hang before the headers: nothing comes until the client leaves', async (t) => {
  const { url, state } = await startSimulator(t);
  state.addFault({ cut: 'hang' });
  const call = await rawCall(url, hello);
  await state.until(({ running }) => running === 1);
  assert.equal((await fetch(`${url}/health`)).status, 200);
  assert.equal(call.text(), '');
  call.socket.destroy();
  await state.until(({ running, cancelled }) => running === 0 && cancelled === 1);
});

test('hang in a stream: the tokens before it have come, and the connection stays', async (t) => {
  const { url, state } = await startSimulator(t);
  state.addFault({ cut: 'hang', cut_after_tokens: 2 });
  const call = await rawCall(url, stream);
  await call.until((text) => text.includes('" is"'));
  assert.equal((await fetch(`${url}/health`)).status, 200);
  assert.doesNotMatch(call.text(), /" a"/);
  assert.equal(state.counts.running, 1);
  call.socket.destroy();
  await state.until(({ running }) => running === 0);
});

const endings: readonly [string, Fault, object, 'fin' | 'reset', RegExp][] = [
  ['reset before the headers', { cut: 'reset' }, stream, 'reset', /^$/],
  [
    'reset behind the headers',
    { cut: 'reset', cut_after_tokens: 0 },
    stream,
    'reset',
    /^HTTP\/1.1 200 OK[^{]+\r\n\r\n$/,
  ],
  [
    'reset in a stream',
    { cut: 'reset', cut_after_tokens: 1 },
    stream,
    'reset',
    /"This"[^"]*"[^"]*"[^[]*\]}\n\n\r\n$/,
  ],
  [
    'reset in a body',
    { cut: 'reset', cut_after_tokens: 5 },
    hello,
    'reset',
    /\r\n\r\n{"id":"chatcmpl-[0-9a-f]{4}$/,
  ],
  ['end before the headers', { cut: 'end' }, hello, 'fin', /^$/],
  [
    'half-close in a stream',
    { cut: 'half_close', cut_after_tokens: 1 },
    stream,
    'fin',
    /"This"[^"]*"[^"]*"[^[]*\]}\n\n\r\n$/,
  ],
  [
    'half-close in a body',
    { cut: 'half_close', cut_after_tokens: 5 },
    hello,
    'fin',
    /\r\n\r\n{"id":"chatcmpl-[0-9a-f]{4}$/,
  ],
];
for (const [name, fault, body, how, seen] of endings) {
  test(name, async (t) => {
    const { url, state } = await startSimulator(t);
    state.addFault(fault);
    const call = await rawCall(url, body);
    assert.equal(await call.end, how);
    assert.match(call.text(), seen);
    assert.deepEqual([state.counts.running, state.counts.finished], [0, 1]);
    call.socket.destroy();
  });
}

test('end in a stream: a complete answer without [DONE], on a connection that lives on', async (t) => {
  const { url, state } = await startSimulator(t);
  state.addFault({ cut: 'end', cut_after_tokens: 2, calls: 1 });
  const call = await rawCall(url, stream);
  await call.until((text) => text.endsWith('\r\n0\r\n\r\n'));
  assert.equal(dataOf(call.text()).length, 3);
  assert.doesNotMatch(call.text(), /DONE/);
  call.send(stream);
  await call.until((text) => text.endsWith('data: [DONE]\n\n\r\n0\r\n\r\n'));
  assert.equal(state.counts.connections_total, 1);
  call.socket.destroy();
});

test('Connection: close is announced and done', async (t) => {
  const { url, state } = await startSimulator(t);
  state.addFault({ connection_close: true });
  const call = await rawCall(url, hello);
  assert.equal(await call.end, 'fin');
  assert.match(call.text(), /\r\nconnection: close\r\n/i);
});

test('idle connections close unannounced, at once or after a time', async (t) => {
  const { url, state } = await startSimulator(t);
  for (const idleMs of [0, 40]) {
    state.addFault({ idle_close_ms: idleMs, calls: 1 });
    const call = await rawCall(url, hello);
    await call.until((text) => text.endsWith('}'));
    const answeredMs = performance.now();
    assert.equal(await call.end, 'fin');
    assert.ok(performance.now() - answeredMs >= idleMs - 5);
    assert.doesNotMatch(call.text(), /connection:/i);
  }
});

test('an idle connection lives as long as the server was told', async (t) => {
  const { url } = await startSimulator(t, { keepAliveTimeoutMs: 30 });
  const call = await rawCall(url, hello);
  assert.equal(await call.end, 'fin');
  assert.doesNotMatch(call.text(), /keep-alive/i);
});

test('one byte at a time, whole and streamed, is the same answer', async (t) => {
  const { url, state } = await startSimulator(t, { tokens: 3 });
  state.addFault({ one_byte: true });
  for (const body of [hello, stream]) {
    const call = await rawCall(url, body);
    assert.equal(await call.end, 'fin');
    assert.ok(call.segments() > call.text().length / 10, `${call.segments()} segments`);
  }
  assert.equal((await json(post(url + path, hello))).usage.completion_tokens, 3);
  assert.match(await (await post(url + path, stream)).text(), /\[DONE\]\n\n$/);
});

test('slow headers come line by line', async (t) => {
  const { url, state } = await startSimulator(t);
  state.addFault({ slow_headers_ms: 15 });
  const startedMs = performance.now();
  const answer = await post(url + path, hello);
  assert.ok(performance.now() - startedMs >= 5 * 15 - 5);
  assert.equal((await json(answer)).object, 'chat.completion');
});

test('a huge answer is valid JSON of at least that size, streamed or not', async (t) => {
  const { url, state } = await startSimulator(t);
  state.addFault({ answer_bytes: 3_000_000 });
  const whole = await (await post(url + path, hello)).text();
  assert.ok(whole.length > 3_000_000);
  assert.ok(JSON.parse(whole).choices[0].message.content.length > 3_000_000);
  const streamed = await (await post(url + path, stream)).text();
  assert.ok(streamed.length > 3_000_000);
  assert.match(streamed, /\[DONE\]\n\n$/);
});

test('an answer that is no JSON, with the right length', async (t) => {
  const { url, state } = await startSimulator(t);
  state.addFault({ invalid_json: true });
  const answer = await post(url + path, hello);
  assert.equal(answer.status, 200);
  await assert.rejects(json(answer), SyntaxError);
});
