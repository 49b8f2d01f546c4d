/** What the calls of jobs look like on the wire: a server gets the length of a body, and a request without one ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Dispatcher } from 'undici';
import { createGotWire } from '../../src/upstream/got-wire.ts';
import { Upstream } from '../../src/upstream/upstream.ts';

interface Seen {
  readonly request: IncomingMessage;
  readonly body: string;
}

async function open(t: TestContext) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    seen.push({ request, body: Buffer.concat(pieces).toString() });
    response.end('ok');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const upstream = new Upstream({ name: 'gpu', url, apiKey: undefined, discover: false, gpus: 1 });
  const { wire, close } = createGotWire();
  t.after(() => {
    close();
    server.close();
    server.closeAllConnections();
  });
  const send = (method: string, body: Buffer | null) =>
    new Promise<Seen>((resolve, reject) => {
      const options = { method, path: '/a?b=%20c', headers: ['x-request-id', 'r1'], body };
      wire(upstream, false, 1_000).dispatch(options as Dispatcher.DispatchOptions, {
        onResponseEnd: () => resolve(seen.at(-1) as Seen),
        onResponseError: (_, error) => reject(error),
      });
    });
  return { send };
}

test('a body arrives whole, with its length, and with no header that nobody has set', async (t) => {
  const { send } = await open(t);
  const text = 'ä prompt'.repeat(100_000);
  const { request, body } = await send('POST', Buffer.from(text));
  assert.equal(body, text);
  const { host, connection, ...headers } = request.headers;
  assert.deepEqual(headers, { 'x-request-id': 'r1', 'content-length': String(Buffer.byteLength(text)) });
  assert.equal(request.url, '/a?b=%20c');
});

for (const method of ['POST', 'PUT', 'GET', 'DELETE']) {
  test(`${method} without a body ends, and is answered`, { timeout: 5_000 }, async (t) => {
    const { send } = await open(t);
    const { request, body } = await send(method, null);
    assert.equal(request.method, method);
    assert.equal(body, '');
    assert.equal(request.headers['transfer-encoding'], undefined);
  });
}
