/** A server that dies in the middle of an answer: the caller sees a broken one, and nothing is sent again. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../support/upstream.ts';
import { simulated } from './support/simulated.ts';

const house = simulated({ timeouts: { idle_ms: 300 } });

let raw: RawUpstream;
let rawGateway: TestGateway;
before(async () => {
  raw = await startRawUpstream();
  rawGateway = await startGateway({
    config: {
      upstreams: [{ name: 'raw', url: raw.url }],
      models: [{ name: 'public', upstreams: ['raw'], upstream_model: 'served' }],
    },
  });
});
after(async () => {
  await rawGateway.stop();
  await raw.stop();
});

/** `whole`: HTTP itself was in order to the end. */
async function ask(gateway: TestGateway, body: Record<string, unknown>, path = '/v1/chat/completions') {
  const answer = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'public', ...body }),
  });
  let text = '';
  let whole = true;
  try {
    for await (const piece of answer.body ?? []) text += Buffer.from(piece as Uint8Array).toString('latin1');
  } catch {
    whole = false;
  }
  return { status: answer.status, text, whole };
}

const messages = (content: string) => [{ role: 'user', content }];

function codeOf(json: string): string {
  return (JSON.parse(json) as { error: { code: string } }).error.code;
}

function checkBrokenStream(text: string, code: string): string[] {
  assert.ok(text.endsWith('\n\n'));
  const events = text.split('\n\n').slice(0, -1);
  const last = events.pop() ?? '';
  assert.equal(codeOf(last.slice('data: '.length)), code);
  assert.equal(text.includes('[DONE]'), false);
  for (const event of events) assert.ok(JSON.parse(event.slice(event.indexOf('data: ') + 'data: '.length)));
  return events;
}

for (const [cut, code] of [
  ['reset', 'upstream_error'],
  ['end', 'upstream_error'],
  ['half_close', 'upstream_error'],
  ['hang', 'upstream_timeout'],
] as const) {
  test(`a stream cut by ${cut}: what came before it, then an error event, no [DONE], one attempt`, async () => {
    const { gateway, simulator } = house;
    const before = simulator.state.counts.started;
    simulator.state.addFault({ prompt: `chat ${cut}`, cut, cut_after_tokens: 7 });
    const { status, text, whole } = await ask(gateway, { stream: true, messages: messages(`chat ${cut}`) });
    assert.deepEqual([status, whole], [200, true]);
    const events = checkBrokenStream(text, code);
    assert.equal(events.filter((event) => /"content":"[^"]/.test(event)).length, 7);
    assert.equal(simulator.state.counts.started, before + 1);
  });

  test(`a stream of the Responses API cut by ${cut}: an error event and no terminal one`, async () => {
    const { gateway, simulator } = house;
    simulator.state.addFault({ prompt: `response ${cut}`, cut, cut_after_tokens: 7 });
    const body = { stream: true, input: `response ${cut}` };
    const { status, text, whole } = await ask(gateway, body, '/v1/responses');
    assert.deepEqual([status, whole], [200, true]);
    checkBrokenStream(text, code);
    assert.equal(text.includes('response.completed'), false);
  });

  test(`a short JSON answer cut by ${cut} becomes an error, one attempt`, async () => {
    const { gateway, simulator } = house;
    const before = simulator.state.counts.started;
    simulator.state.addFault({ prompt: `short ${cut}`, cut, cut_after_tokens: 20 });
    const { status, text, whole } = await ask(gateway, { messages: messages(`short ${cut}`) });
    assert.deepEqual([status, codeOf(text), whole], [code === 'upstream_error' ? 502 : 504, code, true]);
    assert.equal(simulator.state.counts.started, before + 1);
  });

  test(`a long JSON answer cut by ${cut} is a broken one`, async () => {
    const { gateway, simulator } = house;
    const before = simulator.state.counts.started;
    const fault = { answer_bytes: 3_000_000, cut, cut_after_tokens: 500_000 } as const;
    simulator.state.addFault({ prompt: `long ${cut}`, ...fault });
    const { status, whole } = await ask(gateway, { messages: messages(`long ${cut}`) });
    assert.deepEqual([status, whole], [200, false]);
    assert.equal(simulator.state.counts.started, before + 1);
  });
}

test('a call whose server dies before the first byte of an answer is sent again once, not more', async () => {
  const { gateway, simulator } = house;
  for (const calls of [1, 2]) {
    const before = simulator.state.counts.started;
    simulator.state.addFault({ prompt: `again ${calls}`, cut: 'reset', calls });
    const { status } = await ask(gateway, { messages: messages(`again ${calls}`) });
    assert.equal(status, calls === 1 ? 200 : 502);
    assert.equal(simulator.state.counts.started, before + 2);
  }
});

test('broken answers are logged as such, with the cause', async () => {
  const lines = await house.gateway.logLines(18);
  const broken = lines.filter(({ outcome }) => outcome === 'broken');
  assert.equal(broken.length, 12);
  for (const { status, error, blame, reason } of broken) {
    assert.deepEqual([status, blame], [200, 'upstream']);
    assert.match(String(error), /^upstream_(error|timeout)$/);
    assert.match(String(reason), /^simulated: (reset|malformed|ended_early|idle)/);
  }
});

const json = '{"id":"1","model":"served","choices":[{"message":{"content":"text"}}]}';
const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

for (const [name, bytes] of [
  ['shorter than its Content-Length', `${head}content-length: ${json.length + 1}\r\n\r\n${json}`],
  ['without its last chunk', `${head}transfer-encoding: chunked\r\n\r\n${chunked(json)}`],
  ['in the middle of a chunk', `${head}transfer-encoding: chunked\r\n\r\nff\r\n${json}`],
  [
    'cut where only the end of the connection ends it',
    `${head}connection: close\r\n\r\n${json.slice(0, -1)}`,
  ],
  ['whole by HTTP, half by JSON', `${head}content-length: 30\r\n\r\n${json.slice(0, 30)}`],
  ['empty', `${head}content-length: 0\r\n\r\n`],
  ['cut in its headers', 'HTTP/1.1 200 OK\r\ncontent-ty'],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
] as const) {
  for (const then of ['end', 'reset'] as const) {
    test(`a JSON answer ${name}, then ${then}: 502`, async () => {
      raw.answer(Buffer.from(bytes), { then });
      const { status, text, whole } = await ask(rawGateway, { messages: messages('x') });
      assert.deepEqual([status, codeOf(text), whole], [502, 'upstream_error', true]);
    });
  }
}

test('a JSON answer that the end of the connection ends, and whole, is passed on', async () => {
  raw.answer(Buffer.from(`${head}connection: close\r\n\r\n${json}`));
  const { status, text } = await ask(rawGateway, { messages: messages('x') });
  assert.deepEqual([status, text], [200, json.replace('served', 'public')]);
});

test('half an event is never passed on: the error event stands on its own', async () => {
  const event = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n';
  const stream = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
  for (const then of ['end', 'reset'] as const) {
    raw.answer(Buffer.from(stream + chunked(event) + chunked(event.slice(0, -12))), { then });
    const { text } = await ask(rawGateway, { stream: true, messages: messages('x') });
    assert.equal(checkBrokenStream(text, 'upstream_error').length, 1);
  }
});

test('a stream that ends in order but without [DONE] is a broken one', async () => {
  const event = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n';
  const stream = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
  raw.answer(Buffer.from(`${stream}${chunked(event)}0\r\n\r\n`));
  const { text } = await ask(rawGateway, { stream: true, messages: messages('x') });
  assert.equal(checkBrokenStream(text, 'upstream_error').length, 1);
});
