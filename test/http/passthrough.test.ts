/** A pass-through route leads any bytes to a plain server and back, with the keys and logs of all other routes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { assertRefused, bearer, type Reply, readReply, send, speak, type Wanted } from './client.ts';

let answers: { status: number; type?: string; body: Buffer } = { status: 200, body: Buffer.alloc(0) };
let upstream: TestUpstream;
let echo: Server;
let received: Buffer;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream((request, response, body) => {
    received = Buffer.from(body);
    if (answers.type !== undefined) response.setHeader('content-type', answers.type);
    response
      .writeHead(answers.status, { server: 'flask' })
      .end(request.method === 'HEAD' ? undefined : answers.body);
  });
  echo = createServer((request, response) => {
    const { 'content-type': type = '', 'content-length': length = '' } = request.headers;
    response.writeHead(200, { 'content-type': type, 'content-length': length });
    request.pipe(response);
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  gateway = await startGateway({
    config: {
      upstreams: [
        { name: 'plain', url: `${upstream.url}/base` },
        { name: 'echo', url: `http://127.0.0.1:${(echo.address() as AddressInfo).port}` },
      ],
      routes: [
        { path: '/predict', upstream: 'plain' },
        { path: '/echo', upstream: 'echo' },
        {
          path: '/v2/items',
          upstream: 'plain',
          methods: ['GET', 'PUT', 'DELETE'],
          upstream_path: '/inner/items',
        },
        { path: '/small', upstream: 'plain', body_limit_bytes: 100 },
        {
          path: '/strict',
          upstream: 'plain',
          body_schema: {
            type: 'object',
            required: ['input_data'],
            properties: { input_data: { type: 'object', properties: { n: { type: 'integer' } } } },
          },
        },
      ],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
  echo.closeAllConnections();
  echo.close();
});

test('bytes and type pass unaltered, both ways', async () => {
  answers = { status: 200, type: 'application/json', body: Buffer.from(' {"result" : 1.0,\n"model":"x"}') };
  const bodies: [type: string | undefined, body: Buffer][] = [
    ['application/json', Buffer.from(' {"input_data": {"b":1.00, "a":1e400}}\n')],
    ['text/plain; charset=latin1', Buffer.from('Grüße')],
    ['application/x-www-form-urlencoded', Buffer.from('a=1&b=%20')],
    [
      'multipart/form-data; boundary=x',
      Buffer.from('--x\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n'),
    ],
    [undefined, Buffer.from('no type')],
    ['application/octet-stream', Buffer.alloc(0)],
  ];
  for (const [type, body] of bodies) {
    const reply = await call('/predict', { body, ...(type && { headers: { 'content-type': type } }) });
    assert.equal(reply.status, 200);
    assert.equal(reply.body.toString(), answers.body.toString());
    assert.equal(reply.headers['content-type'], 'application/json');
    assert.deepEqual(received, body);
    assert.equal(upstream.requests.at(-1)?.headers['content-type'], type);
  }
});

test('bytes that are not text come back from a server that echoes them', async () => {
  const body = randomBytes(3_000_000);
  for (const chunkBytes of [undefined, 50_000]) {
    const headers = { 'content-type': 'application/octet-stream' };
    const reply = await call('/echo', { body, headers, ...(chunkBytes && { chunkBytes }) });
    assert.ok(reply.body.equals(body));
    assert.equal(reply.headers['content-type'], 'application/octet-stream');
    assert.equal(reply.headers['content-length'], '3000000');
  }
});

test('answers that are not text pass unaltered', async () => {
  answers = { status: 200, type: 'image/png', body: randomBytes(300_000) };
  const reply = await call('/predict', { body: '{}' });
  assert.ok(reply.body.equals(answers.body));
  assert.equal(reply.headers['content-type'], 'image/png');
});

test('2xx and 4xx pass unaltered, 5xx are mapped', async () => {
  for (const status of [200, 201, 202, 400, 401, 403, 404, 409, 422, 429]) {
    answers = { status, type: 'application/json', body: Buffer.from(`{"detail":"says ${status}"}`) };
    const reply = await call('/predict', { body: '{}' });
    assert.deepEqual([reply.status, reply.body.toString()], [status, answers.body.toString()]);
  }
  answers = { status: 204, body: Buffer.alloc(0) };
  const empty = await call('/predict', { body: '{}' });
  assert.deepEqual([empty.status, empty.body.length], [204, 0]);
  for (const status of [500, 502, 503, 504]) {
    answers = { status, type: 'text/html', body: Buffer.from('<pre>Traceback File "/srv/app.py"</pre>') };
    const reply = await call('/predict', { body: '{}' });
    assert.equal(JSON.parse(reply.body.toString()).error.type, 'server_error');
    assert.equal(reply.body.includes('Traceback'), false);
  }
});

test('the path is that of the configuration, the query that of the client', async () => {
  answers = { status: 200, type: 'text/plain', body: Buffer.from('ok') };
  const paths: [method: string, sent: string, arrives: string][] = [
    ['POST', '/predict', '/base/predict'],
    ['POST', '/predict?a=1&b=%2F%20&c', '/base/predict?a=1&b=%2F%20&c'],
    ['GET', '/v2/items?page=2', '/base/inner/items?page=2'],
    ['PUT', '/v2/items', '/base/inner/items'],
    ['DELETE', '/v2/items?id=../..', '/base/inner/items?id=../..'],
    ['POST', '/pr%65dict', '/base/predict'],
  ];
  for (const [method, sent, arrives] of paths) {
    const reply = await call(sent, { method, ...(method === 'PUT' && { body: 'x' }) });
    assert.equal(reply.status, 200);
    assert.deepEqual([upstream.requests.at(-1)?.method, upstream.requests.at(-1)?.path], [method, arrives]);
  }
});

test('a query that could end a line is refused or stays a query', async () => {
  const { key } = gateway;
  for (const query of ['?a=\r\nX-Injected: 1', '?a=\nX-Injected: 1', '?a=\tb', '?a=\x7f', '?a=\xe9']) {
    const count = upstream.requests.length;
    const heard = await speak(
      gateway.url,
      `POST /predict${query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${key}\r\nContent-Length: 0\r\n\r\n`,
    );
    if (upstream.requests.length === count) assertRefused(readReply(heard), 'bad_http');
    assert.equal(upstream.requests.at(-1)?.headers['x-injected'], undefined);
  }
});

test('keys are asked for, and their owner stands in the log', async () => {
  const { length } = upstream.requests;
  assertRefused(await send(gateway.url, '/predict', { body: '{}' }), 'invalid_api_key');
  assert.equal(upstream.requests.length, length);
  answers = { status: 200, type: 'text/plain', body: Buffer.from('ok') };
  const reply = await call('/predict?secret=1', { body: '{}' });
  for (let count = 1; ; count += 1) {
    const line = (await gateway.logLines(count)).find(
      (one) => one.request_id === reply.headers['x-request-id'],
    );
    if (!line) continue;
    assert.deepEqual(
      [line.route, line.tenant, line.upstream, line.status, line.bytes_in, line.bytes_out],
      ['/predict', 'acme', 'plain', 200, 2, 2],
    );
    break;
  }
  assert.equal((await gateway.logText()).includes('secret=1'), false);
  assert.ok(
    (await gateway.metric('sluice_request_duration_seconds_count{route="/predict",model="none"}')) > 0,
  );
});

test('a route has a limit of its own', async () => {
  answers = { status: 200, type: 'text/plain', body: Buffer.from('ok') };
  assert.equal((await call('/small', { body: 'x'.repeat(100) })).status, 200);
  const { length } = upstream.requests;
  assertRefused(await call('/small', { body: 'x'.repeat(101) }), 'request_too_large');
  assertRefused(await call('/small', { body: 'x'.repeat(101), chunkBytes: 50 }), 'request_too_large');
  assert.equal(upstream.requests.length, length);
});

test('JSON is held to the bounds of all routes, and compressed bodies are refused', async () => {
  const json = { 'content-type': 'application/json' };
  const deep = '['.repeat(65) + ']'.repeat(65);
  assertRefused(await call('/predict', { body: deep, headers: json }), 'json_too_complex');
  const zipped = { ...json, 'content-encoding': 'gzip' };
  assertRefused(await call('/predict', { body: '{}', headers: zipped }), 'unsupported_media_type');
});

test('a body that does not fit the schema is refused, and the error names the field', async () => {
  answers = { status: 200, type: 'text/plain', body: Buffer.from('ok') };
  const json = { 'content-type': 'application/json' };
  assert.equal(
    (await call('/strict', { body: '{"input_data":{"n":1},"more":2}', headers: json })).status,
    200,
  );
  assert.equal(received.toString(), '{"input_data":{"n":1},"more":2}');
  const { length } = upstream.requests;
  const bad: [body: string, error: 'invalid_parameter' | 'invalid_json', param: string | null][] = [
    ['{"input_data":{"n":"1"}}', 'invalid_parameter', 'input_data.n'],
    ['{"input_data":5}', 'invalid_parameter', 'input_data'],
    ['{}', 'invalid_parameter', null],
    ['[]', 'invalid_parameter', null],
    ['{', 'invalid_json', null],
    ['', 'invalid_json', null],
  ];
  for (const [body, error, param] of bad) {
    assert.equal(assertRefused(await call('/strict', { body, headers: json }), error).param, param, body);
  }
  // Probes come when they like.
  assert.deepEqual(
    upstream.requests.slice(length).filter(({ method }) => method === 'POST'),
    [],
  );
});

function call(path: string, wanted: Wanted): Promise<Reply> {
  const { authorization = '' } = bearer(gateway.key);
  return send(gateway.url, path, { ...wanted, headers: { authorization, ...wanted.headers } });
}
