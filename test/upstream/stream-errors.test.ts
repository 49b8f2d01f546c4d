/** What a server says of its own failure in the middle of a stream is mapped like an answer of 5xx. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

const chunk =
  'data: {"id":"1","model":"served/path","choices":[{"index":0,"delta":{"content":"the \\"error\\" is"}}]}\n\n';
let said = '';
let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`${chunk}${said}data: [DONE]\n\n`);
  });
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'], upstream_model: 'served/path' }],
      routes: [{ path: '/predict', upstream: 'gpu' }],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

async function stream(path = '/v1/chat/completions'): Promise<string[]> {
  const answer = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'public', stream: true, messages: [{ role: 'user', content: 'Hello' }] }),
  });
  return (await answer.text()).split('\n\n').filter((event) => event !== '');
}

test('a trace in the middle of a stream does not reach the caller, and the stream ends without [DONE]', async () => {
  said =
    'data: {"error":{"message":"Traceback: /srv/vllm/engine.py","type":"InternalServerError","code":500}}\n\n';
  const events = await stream();
  assert.equal(events.length, 2);
  assert.match(events[0] ?? '', /the \\"error\\" is/);
  assert.deepEqual(JSON.parse(events[1]?.slice('data: '.length) ?? ''), {
    error: { message: 'The model server failed.', type: 'server_error', param: null, code: 'upstream_error' },
  });
});

test('a complaint about the request is passed on, without the name that the server has for the model', async () => {
  said =
    'data: {"error":{"message":"served/path takes no such thing","type":"BadRequestError","code":400}}\n\n';
  const { error } = JSON.parse((await stream()).at(-1)?.slice('data: '.length) ?? '') as {
    error: Record<string, unknown>;
  };
  assert.deepEqual([error.code, error.message], ['upstream_rejected', 'public takes no such thing']);
});

test('a chunk whose error is null, and any event of a pass-through route, are no failure', async () => {
  said = 'data: {"choices":[],"error":null}\n\n';
  assert.equal((await stream()).at(-1), 'data: [DONE]');
  said = 'data: {"error":{"message":"mine","code":500}}\n\n';
  const events = await stream('/predict');
  assert.deepEqual(events.slice(1), [said.trim(), 'data: [DONE]']);
});
