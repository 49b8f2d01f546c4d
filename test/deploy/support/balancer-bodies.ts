/** Bodies up to the limit and beyond it, streams, and callers who leave. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { bearer, chat } from '../../http/client.ts';
import { until } from '../../support/gateway.ts';
import { assertOurs, type BalancerGround } from './balancer-ground.ts';
import { ask, open } from './secure-client.ts';

const BODY_BYTES_MAX = 20_000_000;

export function bodyTests(ground: BalancerGround): void {
  test('a body of exactly the limit passes, one byte more gets 413 and no server sees it', async () => {
    const filled = (bytes: number) => JSON.stringify({ text: 'a'.repeat(bytes - '{"text":""}'.length) });
    ground.answer = (response, body) => void response.end(String(body.length));
    const passed = await ask(
      ground.balancer,
      ground.wish({ path: '/predict', body: filled(BODY_BYTES_MAX) }),
    );
    ground.answer = undefined;
    assert.deepEqual([passed.status, passed.body.toString()], [200, String(BODY_BYTES_MAX)]);
    const before = ground.upstream.requests.length;
    for (const chunked of [false, true]) {
      const body = filled(BODY_BYTES_MAX + 1);
      assertOurs(
        await ask(ground.balancer, ground.wish({ path: '/predict', body, chunked })),
        413,
        'request_too_large',
        'false',
      );
    }
    assert.equal(ground.upstream.requests.length, before);
  });

  test('a body that is announced as far too long gets 413 before it is sent, and no gateway sees it', async () => {
    const headers = {
      ...bearer(ground.gateway.key),
      'content-length': String(10 * BODY_BYTES_MAX),
      'x-request-id': 'far-too-long',
    };
    const { outgoing, answered } = open(ground.balancer, { headers });
    outgoing.flushHeaders();
    const [response] = await answered;
    const [body] = await once(response, 'data');
    outgoing.destroy();
    assertOurs(
      { status: response.statusCode, headers: response.headers, body, tookMs: 0 },
      413,
      'request_too_large',
      'false',
    );
    // Lines are written in order, so that of a later call tells that there is none of this one.
    await ask(
      ground.balancer,
      ground.wish({ headers: { ...bearer(ground.gateway.key), 'x-request-id': 'later' } }),
    );
    await ground.lineOf('later');
    assert.equal((await ground.gateway.logText()).includes('far-too-long'), false);
  });

  test('an answer that comes before the whole body has been sent arrives', async () => {
    const body = Buffer.alloc(BODY_BYTES_MAX, 'a');
    for (let count = 0; count < 3; count += 1) {
      const { status } = await ask(ground.balancer, { headers: bearer('nobody'), body });
      assert.equal(status, 401);
    }
  });
}

export function streamTests(ground: BalancerGround): void {
  test('every piece of a stream arrives before the server sends the next', async () => {
    let response: ServerResponse | undefined;
    const chunk = (content: string) => ({ choices: [{ index: 0, delta: { content } }] });
    const tell = (index: number) => response?.write(`data: ${JSON.stringify(chunk(`token ${index}`))}\n\n`);
    ground.answer = (open) => {
      response = open.writeHead(200, { 'content-type': 'text/event-stream' });
      tell(0);
    };
    const { outgoing, answered } = open(ground.balancer, { headers: bearer(ground.gateway.key) });
    outgoing.end(chat({ stream: true }));
    const [incoming] = await answered;
    ground.answer = undefined;
    incoming.setEncoding('utf8');
    const pieces = incoming[Symbol.asyncIterator]();
    for (let index = 0; index < 20; index += 1) {
      if (index > 0) tell(index);
      for (let heard = ''; !heard.includes(`token ${index}`); ) heard += (await pieces.next()).value;
    }
    response?.end('data: [DONE]\n\n');
    let rest = '';
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) rest += next.value;
    assert.ok(rest.endsWith('data: [DONE]\n\n'));
  });

  test('a caller who leaves ends the call at the server', async (t) => {
    ground.answer = () => undefined;
    t.after(() => {
      ground.answer = undefined;
    });
    const { outgoing } = open(ground.balancer, { headers: bearer(ground.gateway.key) });
    outgoing.on('error', () => undefined).end(chat());
    await until(() => ground.upstream.running() === 1, 'the call to arrive');
    const leftAtMs = performance.now();
    outgoing.destroy();
    await until(() => ground.upstream.running() === 0, 'the call to end');
    t.diagnostic(`after ${(performance.now() - leftAtMs).toFixed(0)} ms`);
  });
}
