/** A server that closes an idle connection just when the next call comes over it: no caller sees it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';

/** Answers the first request of every connection and closes on the first byte of the second one. */
function startMeanServer() {
  const arrived = new Map<string, number>();
  const sockets = new Set<Socket>();
  const state = { way: 'reset' as 'reset' | 'end', closed: 0, url: '' };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    let text = '';
    let answered = 0;
    socket.on('data', (piece) => {
      text += String(piece);
      const name = /call-\d+/.exec(text)?.[0];
      const isWhole = text.startsWith('GET') ? text.endsWith('\r\n\r\n') : text.endsWith('}');
      if (!isWhole) return;
      if (name) arrived.set(name, (arrived.get(name) ?? 0) + 1);
      if (answered > 0) {
        state.closed += 1;
        if (state.way === 'reset') socket.resetAndDestroy();
        else socket.end();
        return;
      }
      answered += 1;
      text = '';
      const body = JSON.stringify({ model: 'm', said: name ?? 'health' });
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
  });
  return {
    arrived,
    state,
    async start() {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const server = startMeanServer();
let gateway: TestGateway;

before(async () => {
  const url = await server.start();
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'mean', url }],
      models: [{ name: 'm', upstreams: ['mean'] }],
      routes: [{ path: '/predict', methods: ['GET', 'POST'], upstream: 'mean' }],
    },
  });
});
after(async () => {
  await gateway.stop();
  server.stop();
});
beforeEach(() => {
  server.arrived.clear();
  server.state.closed = 0;
});

async function send(method: string, path: string, name: string): Promise<number> {
  const answer = await fetch(`${gateway.url}${path}${method === 'GET' ? `?${name}` : ''}`, {
    method,
    headers: {
      authorization: `Bearer ${gateway.key}`,
      ...(method === 'POST' && { 'content-type': 'application/json' }),
    },
    ...(method === 'POST' && {
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: name }], input_data: name }),
    }),
  });
  const text = await answer.text();
  if (answer.status === 200) assert.equal((JSON.parse(text) as { said: string }).said, name);
  return answer.status;
}

async function many(
  calls: number,
  atOnce: number,
  send: (name: string) => Promise<number>,
): Promise<number[]> {
  const statuses: number[] = [];
  for (let sent = 0; sent < calls; sent += atOnce) {
    const round = Array.from({ length: atOnce }, (_, index) => send(`call-${sent + index}`));
    statuses.push(...(await Promise.all(round)));
  }
  return statuses;
}

for (const way of ['reset', 'end'] as const) {
  for (const atOnce of [1, 10]) {
    test(`200 calls, ${atOnce} at a time, on connections closed by ${way}: all answered, sent at most twice`, async (t) => {
      server.state.way = way;
      const statuses = await many(200, atOnce, (name) => send('POST', '/v1/chat/completions', name));
      t.diagnostic(`${server.state.closed} connections were closed under a call`);
      assert.deepEqual([...new Set(statuses)], [200]);
      assert.ok(server.state.closed >= 80, `${server.state.closed}`);
      assert.equal(server.arrived.size, 200);
      assert.ok(Math.max(...server.arrived.values()) <= 2);
    });
  }

  test(`a GET of a pass-through route is sent again on a connection closed by ${way}, a POST never`, async () => {
    server.state.way = way;
    const gets = await many(50, 5, (name) => send('GET', '/predict', name));
    assert.deepEqual([...new Set(gets)], [200]);
    server.arrived.clear();
    const posts = await many(50, 5, (name) => send('POST', '/predict', name));
    assert.ok(posts.includes(502), 'a connection was closed under a call');
    assert.deepEqual([...new Set(posts)].sort(), [200, 502]);
    assert.deepEqual([...new Set(server.arrived.values())], [1]);
  });
}
