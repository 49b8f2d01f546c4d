/** What a GPU server says when it fails is mapped: its traces, addresses and paths never reach a client. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ErrorName } from '../../src/core/errors.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { assertRefused, bearer, chat, type Reply, send } from './client.ts';

const PATH = '/models/private/tiny-4.7';
const TRACE = 'Traceback (most recent call last): File "/opt/vllm/engine.py", line 12, at 10.0.0.5:8000';

interface Said {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

let says: Said;
let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream((_request, response) => {
    response.writeHead(says.status, { 'content-type': says.type, server: 'uvicorn' }).end(says.body);
  });
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'], upstream_model: PATH }],
      routes: [{ path: '/predict', upstream: 'gpu' }],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

const openai = (message: string, param?: string) =>
  JSON.stringify({ error: { message, param, type: 'x', code: 7 } });

const cases: [
  status: number,
  body: string,
  error: ErrorName,
  mapped: number,
  message: RegExp,
  param?: string,
][] = [
  [400, openai(`${PATH} takes 5 tokens`), 'upstream_rejected', 400, /^public takes 5 tokens$/],
  [400, openai('Bad n', 'n'), 'upstream_rejected', 400, /^Bad n$/, 'n'],
  [400, '{"object":"error","message":"Old vLLM"}', 'upstream_rejected', 400, /^Old vLLM$/],
  [400, '{"detail":"There was an error"}', 'upstream_rejected', 400, /^There was an error$/],
  [400, 'not JSON', 'upstream_rejected', 400, /refused the request \(400\)/],
  [401, openai('Your key is wrong'), 'upstream_error', 502, /^The model server failed\.$/],
  [403, openai('Forbidden'), 'upstream_error', 502, /^The model server failed\.$/],
  [
    404,
    openai(`The model ${PATH} does not exist`),
    'upstream_rejected',
    404,
    /^The model public does not exist$/,
  ],
  [404, '<html>nginx</html>', 'upstream_rejected', 404, /refused the request \(404\)/],
  [407, '', 'upstream_error', 502, /failed/],
  [408, '', 'upstream_timeout', 504, /in time/],
  [413, '', 'upstream_rejected', 413, /refused/],
  [422, '{"detail":[{"loc":["body","n"],"msg":"wrong"}]}', 'upstream_rejected', 422, /"loc":\["body","n"\]/],
  [429, openai('Slow down'), 'upstream_unavailable', 503, /loading or overloaded/],
  [500, openai(TRACE), 'upstream_error', 502, /^The model server failed\.$/],
  [500, `<html><pre>${TRACE}</pre></html>`, 'upstream_error', 502, /^The model server failed\.$/],
  [500, openai('input is too large to process'), 'context_length_exceeded', 400, /too large to process/],
  [502, TRACE, 'upstream_error', 502, /failed/],
  [503, openai('Loading model'), 'upstream_unavailable', 503, /loading or overloaded/],
  [504, TRACE, 'upstream_timeout', 504, /in time/],
  [302, '', 'upstream_error', 502, /failed/],
  [304, '', 'upstream_error', 502, /failed/],
  [599, TRACE, 'upstream_error', 502, /failed/],
];

for (const [status, body, error, mapped, message, param] of cases) {
  test(`${status} ${body.slice(0, 40)}: ${mapped} ${error}`, async () => {
    says = { status, body, type: body.startsWith('<') ? 'text/html' : 'application/json' };
    for (const fields of [{}, { stream: true }]) {
      const reply = await post('/v1/chat/completions', chat(fields));
      const refused = assertRefused(reply, error, mapped);
      assert.match(refused.message, message);
      assert.equal(refused.param, param ?? null);
      assertClean(reply);
      assert.equal(reply.headers['retry-after'], mapped === 503 ? '1' : undefined);
    }
  });
}

test('an endless error body is not read to its end', async () => {
  says = { status: 400, body: openai('x'.repeat(5_000_000)), type: 'application/json' };
  const { message } = assertRefused(await post('/v1/chat/completions', chat()), 'upstream_rejected');
  assert.ok(message.length <= 4_096);
});

test('a pass-through route maps 5xx just the same', async () => {
  says = { status: 500, body: TRACE, type: 'text/plain' };
  const reply = await post('/predict', '{}');
  assertRefused(reply, 'upstream_error');
  assertClean(reply);
});

test('the log says which server answered what, and not what it said', async () => {
  says = { status: 500, body: TRACE, type: 'text/plain' };
  await post('/v1/chat/completions', chat());
  const line = (await gateway.logLines(2 * cases.length + 3)).at(-1);
  assert.deepEqual(
    [line?.error, line?.blame, line?.reason, line?.status, line?.upstream],
    ['upstream_error', 'upstream', 'gpu: answered 500', 502, 'gpu'],
  );
  assert.equal((await gateway.logText()).includes('Traceback'), false);
});

function post(path: string, body: string): Promise<Reply> {
  return send(gateway.url, path, { headers: bearer(gateway.key), body });
}

function assertClean(reply: Reply): void {
  const all = JSON.stringify(reply.headers) + reply.body.toString();
  for (const secret of [PATH, 'Traceback', 'vllm', '10.0.0.5', 'uvicorn', 'nginx']) {
    assert.equal(all.includes(secret), false, secret);
  }
}
