import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { probe } from '../../../src/upstream/health/probe-client.ts';
import { place, probing, upstreamAt } from './ground.ts';

const never = new AbortController().signal;
const check = { path: '/health', timeoutMs: 300, completionModel: undefined };

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a probe tells apart who is well, who is ill, who refuses and who is silent', async (t) => {
  const results: string[] = [];
  for (const [listener, path] of [
    [(_, response) => response.end(), '/health'],
    [(_, response) => response.writeHead(404).end(), '/health'],
    [(request, response) => response.writeHead(request.url === '/base/up' ? 200 : 500).end(), '/up'],
    [(_, response) => response.writeHead(503).end(), '/health'],
    [(request) => request.socket.resetAndDestroy(), '/health'],
    [() => undefined, '/health'],
    [(_, response) => response.write('a'), '/health'],
  ] as const satisfies [RequestListener, string][]) {
    const url = `${await serve(t, listener)}/base/v1`;
    results.push(await probe(upstreamAt('a', url, { ...check, path }), never));
  }
  assert.deepEqual(results, ['ok', 'ok', 'ok', 'bad', 'refused', 'no_answer', 'no_answer']);
  const { simulator, upstream } = await place(t, 'a', check);
  await simulator.close();
  assert.equal(await probe(upstream, never), 'refused');
});

test('an answer without end is cut off long before its time is over', async (t) => {
  let sentBytes = 0;
  const piece = Buffer.alloc(1_000_000);
  const url = await serve(t, (_, response) => {
    const send = () => {
      sentBytes += piece.length;
      response.write(piece, (error) => error ?? send());
    };
    send();
  });
  assert.equal(await probe(upstreamAt('a', url, { ...check, timeoutMs: 20_000 }), never), 'bad');
  assert.ok(sentBytes < 50_000_000, `${sentBytes}`);
});

test('a server that says it is well and completes nothing is found out where a completion belongs to its probe', async (t) => {
  const withCompletion = { ...check, completionModel: 'simulator' };
  const { simulator, upstream } = await place(t, 'a', withCompletion);
  assert.equal(await probe(upstream, never), 'ok');
  assert.equal(JSON.parse(String(simulator.state.last?.body)).max_tokens, 1);
  simulator.state.addFault({ cut: 'hang' });
  assert.equal(await probe(upstream, never), 'no_answer');
  simulator.state.clearFaults();
  simulator.state.addFault({ status: 500, calls: 1 });
  assert.equal(await probe(upstream, never), 'bad');
  simulator.state.addFault({ status: 429, calls: 1 });
  assert.equal(await probe(upstream, never), 'ok');
});

test('a gateway that has stood still does not blame the server for it', async (t) => {
  const url = await serve(t, (_, response) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, check.timeoutMs + 400);
    response.end();
  });
  assert.equal(await probe(upstreamAt('a', url, check), never), 'undecided');
});

test('a probe that hears nothing is joined by a second one, so that two silent ones do not take two limits', async (t) => {
  let open = 0;
  let openMost = 0;
  let answers = true;
  const url = await serve(t, (_, response) => {
    if (answers) return void response.end();
    open += 1;
    openMost = Math.max(openMost, open);
    response.on('close', () => {
      open -= 1;
    });
  });
  const upstream = upstreamAt('a', url, check);
  const frozen = Promise.withResolvers<void>();
  await probing(t, [upstream], { frozen: () => frozen.resolve() });
  answers = false;
  await frozen.promise;
  assert.equal(openMost, 2);
  assert.equal(upstream.serverHealth.lastReason, 'frozen');
});

test('servers that the configuration names anew are probed, and those that it has dropped are not', async (t) => {
  const [first, second] = [await place(t, 'a'), await place(t, 'b')];
  const probed: string[] = [];
  const { prober, upstreams } = await probing(t, [first.upstream], {
    probed: ({ name }) => void probed.push(name),
  });
  upstreams.delete('a');
  upstreams.set('b', second.upstream);
  await prober.refresh();
  assert.equal(second.upstream.health, 'healthy');
  probed.length = 0;
  while (probed.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(probed, ['b', 'b']);
});
