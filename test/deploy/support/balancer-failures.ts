/** Errors of the gateway, which pass, and those that the balancer has to write itself. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { bearer, chat, readReply } from '../../http/client.ts';
import { startBalancer } from './balancer.ts';
import { assertOurs, type BalancerGround, NOBODY } from './balancer-ground.ts';
import { ask, speakSecurely } from './secure-client.ts';

export interface SuiteOptions {
  /** With which it says that no gateway is there. */
  readonly nobodyThere: 502 | 503;
  /** Whether its answer to bytes that it cannot parse can be chosen. */
  readonly explainsBadHttp: boolean;
  /** Makes the longest wait for an answer a second. */
  readonly shortWait: Record<string, string>;
}

export function failureTests(ground: BalancerGround, { explainsBadHttp }: SuiteOptions): void {
  test(`what is not HTTP, or too long a header: 400, ${explainsBadHttp ? 'in our format' : 'in its own words'}`, async () => {
    const common = `Host: localhost\r\nAuthorization: Bearer ${ground.gateway.key}`;
    const bad = readReply(
      await speakSecurely(ground.balancer, `GET / HTTP/1.1\r\n${common}\r\nno header\r\n\r\n`),
    );
    const long = `GET / HTTP/1.1\r\n${common}\r\nX-Long: ${'a'.repeat(40_000)}\r\n\r\n`;
    const tooLong = readReply(await speakSecurely(ground.balancer, long));
    if (explainsBadHttp) {
      assertOurs(bad, 400, 'bad_http', 'false');
      assertOurs(tooLong, 431, 'headers_too_large', 'false');
    } else {
      assert.deepEqual([bad.status, tooLong.status], [400, 400]);
    }
  });

  test('errors of the gateway pass as they are', async () => {
    const headers = { ...bearer(ground.gateway.key), 'x-request-id': 'chosen-by-the-caller' };
    const reply = await ask(ground.balancer, { headers, body: chat({ model: 'nothing' }) });
    assert.deepEqual(
      [reply.status, reply.headers['x-request-id'], JSON.parse(reply.body.toString()).error.code],
      [404, 'chosen-by-the-caller', 'model_not_found'],
    );
    ground.answer = (response) => void response.writeHead(500).end('a secret of the server');
    const failed = await ask(ground.balancer, ground.wish());
    ground.answer = undefined;
    assert.equal(failed.status, 502);
    assert.equal(JSON.parse(failed.body.toString()).error.code, 'upstream_error');
  });
}

export function absenceTests(ground: BalancerGround, { nobodyThere, shortWait }: SuiteOptions): void {
  test('without a gateway it says so in our format', async (t) => {
    const alone = await startBalancer(ground.name, { gateways: [NOBODY] });
    t.after(() => alone.stop());
    const reply = await ask(alone, ground.wish());
    const code = nobodyThere === 502 ? 'gateway_unreachable' : 'gateway_unavailable';
    assertOurs(reply, nobodyThere, code, 'true');
  });

  test('a POST that a gateway has got is sent to no other, be it late or broken', async (t) => {
    const [one, other] = [await startDeaf(), await startDeaf()];
    t.after(() => Promise.all([one.stop(), other.stop()]));
    const alone = await startBalancer(ground.name, { gateways: [one.url, other.url], changes: shortWait });
    t.after(() => alone.stop());
    const late = await ask(alone, ground.wish());
    assertOurs(late, 504, 'gateway_timeout', 'true');
    assert.equal(one.posts() + other.posts(), 1);
    one.breakOff();
    other.breakOff();
    const broken = await ask(alone, ground.wish()).catch(() => undefined);
    // HAProxy closes the caller's connection where the gateway's was an old one; a new one gets 502.
    if (broken) assertOurs(broken, 502, 'gateway_unreachable', 'true');
    assert.equal(one.posts() + other.posts(), 2);
  });
}

/** Passes for a healthy gateway, takes every POST and never answers it. */
async function startDeaf() {
  const sockets = new Set<Socket>();
  let posts = 0;
  let breaks = false;
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.on('data', (piece) => {
      const text = piece.toString('latin1');
      if (text.startsWith('GET /health')) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      if (!text.startsWith('POST')) return;
      posts += 1;
      if (breaks) socket.resetAndDestroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posts: () => posts,
    breakOff: () => {
      breaks = true;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
