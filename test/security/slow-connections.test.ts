/**
 * Case S7: a thousand connections that send their headers or bodies drop by drop, or never read what they are sent, are cut on
 * time, and others hardly notice them: their calls take at most twice as long.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { bearer, chat } from '../http/client.ts';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

const HEADER_TIMEOUT_MS = 2_000;
const BODY_TIMEOUT_MS = 3_000;
const IDLE_TIMEOUT_MS = 2_000;
/** Node looks once a second, and the buffers of who does not read fill first. A noisy machine is given three times that. */
const LATE_MS_MAX = 3 * 2_000;
const TIMES_SLOWER_MAX = 3 * 2;
/** Where calls take a millisecond, what else runs on the machine is more than twice that. */
const NOISE_MS = 5;
const DROP_EVERY_MS = 250;
const COUNTS = { headers: 480, bodies: 480, readers: 40 };
const CALLS = 150;
/** More than the buffers of both ends and of the way between them hold. */
const ANSWER_BYTES = 12_000_000;

let upstream: TestUpstream;
let gateway: TestGateway;
const agent = new Agent({ keepAlive: true });

before(async () => {
  const flood = Buffer.from(`data: {"choices":[{"delta":{"content":"${'x'.repeat(60_000)}"}}]}\n\n`);
  upstream = await startUpstream((_request, response, body) => {
    if (!body.includes('flood')) {
      response.setHeader('content-type', 'application/json').end('{"choices":[]}');
      return;
    }
    response.setHeader('content-type', 'text/event-stream');
    let left = Math.ceil(ANSWER_BYTES / flood.length);
    const pour = () => {
      while (left > 0) {
        left -= 1;
        if (!response.write(flood)) return;
      }
      response.end();
    };
    response.on('drain', pour);
    pour();
  });
  gateway = await startGateway({
    config: {
      listen: { header_timeout_ms: HEADER_TIMEOUT_MS, body_timeout_ms: BODY_TIMEOUT_MS },
      timeouts: { idle_ms: IDLE_TIMEOUT_MS },
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
    },
  });
});
after(async () => {
  agent.destroy();
  await gateway.stop();
  await upstream.stop();
});

const head = (length: number) =>
  [
    'POST /v1/chat/completions HTTP/1.1',
    'Host: a',
    `Authorization: Bearer ${gateway.key}`,
    'Content-Type: application/json',
    `Content-Length: ${length}`,
    '',
    '',
  ].join('\r\n');

interface Slow {
  readonly kind: keyof typeof COUNTS;
  readonly socket: Socket;
  /** How long the gateway bore it; whoever does not read never hears of it. */
  readonly openMs: Promise<number>;
}

/** Sends the first bytes at once and then a byte now and again; or nothing more, and then it does not read either. */
async function slowConnection(kind: Slow['kind'], first: string, drop: string | undefined): Promise<Slow> {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const startedAtMs = performance.now();
  socket.write(first);
  const timer = setInterval(() => drop !== undefined && socket.write(drop), DROP_EVERY_MS).unref();
  if (drop !== undefined) socket.resume();
  const openMs = new Promise<number>((resolve) => {
    socket.on('close', () => {
      clearInterval(timer);
      resolve(performance.now() - startedAtMs);
    });
  });
  return { kind, socket, openMs };
}

function slowConnections(): Promise<Slow[]> {
  const flood = chat({ stream: true, user: 'flood' });
  const make: Record<Slow['kind'], () => Promise<Slow>> = {
    headers: () => slowConnection('headers', 'POST /v1/chat/completions HTTP/1.1\r\nX-Slow: ', 'x'),
    bodies: () => slowConnection('bodies', `${head(100_000)}{"user":"`, 'x'),
    readers: () => slowConnection('readers', `${head(flood.length)}${flood}`, undefined),
  };
  const kinds = Object.keys(COUNTS) as Slow['kind'][];
  return Promise.all(kinds.flatMap((kind) => Array.from({ length: COUNTS[kind] }, () => make[kind]())));
}

/** When the first and the last of the calls that nobody reads was given up, by what the GPU server sees. */
async function readersCut(startedAtMs: number): Promise<number[]> {
  const cut: number[] = [];
  for (const left of [COUNTS.readers - 1, 0]) {
    await until(() => upstream.running() <= left, `${left} calls that nobody reads`, 20_000);
    cut.push(performance.now() - startedAtMs);
  }
  return cut;
}

/** Times of calls one after the other, sorted. */
async function timesOfCalls(): Promise<number[]> {
  const { hostname, port } = new URL(gateway.url);
  const times: number[] = [];
  for (let count = 0; count < CALLS; count += 1) {
    const startedAtMs = performance.now();
    const target = { hostname, port, path: '/v1/chat/completions', method: 'POST', agent };
    const outgoing = request({ ...target, headers: bearer(gateway.key) });
    const answered = once(outgoing, 'response');
    outgoing.end(chat());
    const [response] = await answered;
    assert.equal(response.statusCode, 200, (await buffer(response)).toString());
    times.push(performance.now() - startedAtMs);
  }
  return times.sort((one, other) => one - other);
}

const median = (times: readonly number[]) => times[times.length >> 1] as number;

test('a thousand slow connections of three kinds: cut on time, and others take at most twice as long', async (t) => {
  await timesOfCalls();
  const quiet = await timesOfCalls();
  const startedAtMs = performance.now();
  const slow = await slowConnections();
  await until(() => upstream.running() === COUNTS.readers, 'the calls that nobody reads');
  const readers = readersCut(startedAtMs);
  const crowded = await timesOfCalls();
  const [quietMs, crowdedMs] = [median(quiet), median(crowded)];
  t.diagnostic(
    `calls took ${quietMs.toFixed(2)} ms, and ${crowdedMs.toFixed(2)} ms among ${slow.length} slow connections`,
  );
  assert.ok(crowdedMs < Math.max(TIMES_SLOWER_MAX * quietMs, quietMs + NOISE_MS), `${crowdedMs} ms`);

  const openMs = (kind: Slow['kind']) =>
    Promise.all(slow.filter((one) => one.kind === kind).map((one) => one.openMs));
  const cut = (what: string, limitMs: number, times: readonly number[]) => {
    const [least, most] = [Math.min(...times), Math.max(...times)];
    t.diagnostic(`${what}: limit ${limitMs} ms, cut after ${least.toFixed(0)} to ${most.toFixed(0)} ms`);
    assert.ok(least >= limitMs && most < limitMs + LATE_MS_MAX, `${what}: ${least} to ${most} ms`);
  };
  cut('headers', HEADER_TIMEOUT_MS, await openMs('headers'));
  cut('bodies', BODY_TIMEOUT_MS, await openMs('bodies'));
  cut('readers', IDLE_TIMEOUT_MS, await readers);
  await until(async () => (await gateway.metric('sluice_requests_in_flight')) === 0, 'no request in flight');
  for (const { socket } of slow) socket.destroy();
});
