/** A server that is slow in whatever way ends in a clear answer at its time, and each model has its own times. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { freePort } from '../support/redis.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { openSocket, post } from './support/caller.ts';

const EVENT = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n';
const STREAM = { 'content-type': 'text/event-stream' };
const JSON_TYPE = { 'content-type': 'application/json' };

let upstream: TestUpstream;
let blackhole: Blackhole;
let gateway: TestGateway;

interface Blackhole {
  readonly url: string;
  stop(): void;
}

/** Listens, but takes no connection: stopped, with a queue that is full. What comes now gets no answer at all. */
async function startBlackhole(): Promise<Blackhole> {
  const script = `const s = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))`;
  const child: ChildProcess = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line]: unknown[] = await once(child.stdout ?? child, 'data');
  const port = Number(String(line));
  child.kill('SIGSTOP');
  const waiting: Socket[] = [];
  for (let isFull = false; !isFull; ) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    waiting.push(socket);
    isFull = await Promise.race([
      once(socket, 'connect').then(() => false),
      new Promise<boolean>((resolve) => setTimeout(resolve, 200, true)),
    ]);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    stop() {
      for (const socket of waiting) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}

function drip(response: ServerResponse, piece: string): void {
  const timer = setInterval(() => response.write(piece), 20);
  response.once('close', () => clearInterval(timer));
}

const manners: Record<string, (response: ServerResponse) => void> = {
  silent: () => undefined,
  'headers only': (response) => response.writeHead(200, STREAM).flushHeaders(),
  'stalling stream': (response) => response.writeHead(200, STREAM).write(EVENT),
  'stalling JSON': (response) => response.writeHead(200, JSON_TYPE).write('{"choices":['),
  'long JSON that stalls': (response) =>
    response.writeHead(200, JSON_TYPE).write(`{"a":"${'x'.repeat(200_000)}`),
  'endless stream': (response) => drip(response.writeHead(200, STREAM), EVENT),
  'endless JSON': (response) => drip(response.writeHead(200, JSON_TYPE), ' '),
  flood: (response) => {
    response.writeHead(200, STREAM);
    const more = () => {
      while (!response.destroyed && response.write(EVENT.repeat(1_000)));
    };
    response.on('drain', more);
    more();
  },
};

before(async () => {
  upstream = await startUpstream((_request, response, body) => {
    const { messages } = JSON.parse(body) as { messages: { content: string }[] };
    manners[messages[0]?.content ?? '']?.(response);
  });
  blackhole = await startBlackhole();
  const upstreams = [
    { name: 'slow', url: upstream.url },
    { name: 'blackhole', url: blackhole.url },
    { name: 'refusing', url: `http://127.0.0.1:${await freePort()}` },
  ];
  const general = { connect_ms: 300, first_byte_ms: 250, idle_ms: 200, total_ms: 700 };
  gateway = await startGateway({
    config: {
      timeouts: general,
      upstreams,
      models: [
        { name: 'general', upstreams: ['slow'] },
        {
          name: 'patient',
          upstreams: ['slow'],
          timeouts: { first_byte_ms: 600, idle_ms: 500, total_ms: 1_200 },
        },
        { name: 'brief', upstreams: ['slow'], timeouts: { first_byte_ms: 400, idle_ms: 500, total_ms: 400 } },
        {
          name: 'blackhole',
          upstreams: ['blackhole'],
          timeouts: { first_byte_ms: 10_000, total_ms: 10_000 },
        },
        { name: 'refusing', upstreams: ['refusing'] },
      ],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
  blackhole.stop();
});

/** `text` ends where the connection broke; `whole` says whether HTTP itself was in order. */
async function ask(model: string, content: string) {
  const startedAtMs = performance.now();
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      stream: content.includes('stream'),
      messages: [{ role: 'user', content }],
    }),
  });
  let text = '';
  let whole = true;
  try {
    for await (const piece of answer.body ?? []) text += Buffer.from(piece as Uint8Array).toString();
  } catch {
    whole = false;
  }
  return { status: answer.status, text, whole, tookMs: performance.now() - startedAtMs };
}

function codeOf(json: string): string {
  return (JSON.parse(json) as { error: { code: string } }).error.code;
}

function isAbout(tookMs: number, expectedMs: number): void {
  assert.ok(tookMs > expectedMs - 5, `${tookMs} ms is before ${expectedMs} ms`);
  assert.ok(tookMs < expectedMs + 800, `${tookMs} ms is long after ${expectedMs} ms`);
}

test('a server that refuses the connection: 503 within 100 ms, with Retry-After', async (t) => {
  await ask('refusing', 'warm up');
  const { status, text, tookMs } = await ask('refusing', 'silent');
  t.diagnostic(`${tookMs.toFixed(1)} ms`);
  assert.deepEqual([status, codeOf(text)], [503, 'upstream_unavailable']);
  assert.ok(tookMs < 300, `${tookMs} ms`);
});

test('a server that takes no connection: 503 after connect_ms, not after the first-byte time', async () => {
  const tookMs: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const answer = await ask('blackhole', 'silent');
    assert.deepEqual([answer.status, codeOf(answer.text)], [503, 'upstream_unavailable']);
    tookMs.push(answer.tookMs);
  }
  // The quickest shows the time-out, the others what else the machine had to do.
  const quickestMs = Math.min(...tookMs);
  assert.ok(quickestMs > 295 && quickestMs < 400, `${quickestMs} ms`);
});

for (const [model, content, expectedMs] of [
  ['general', 'silent', 250],
  ['general', 'headers only', 250],
  ['patient', 'silent', 600],
  ['general', 'stalling JSON', 200],
  ['patient', 'stalling JSON', 500],
  ['brief', 'stalling JSON', 400],
] as const) {
  test(`${content}, model ${model}: 504 after ${expectedMs} ms`, async () => {
    const { status, text, whole, tookMs } = await ask(model, content);
    assert.deepEqual([status, codeOf(text), whole], [504, 'upstream_timeout', true]);
    isAbout(tookMs, expectedMs);
  });
}

for (const [model, content, expectedMs] of [
  ['general', 'stalling stream', 200],
  ['patient', 'stalling stream', 500],
  ['general', 'endless stream', 700],
  ['patient', 'endless stream', 1_200],
] as const) {
  test(`${content}, model ${model}: an error event after ${expectedMs} ms, and no [DONE]`, async () => {
    const { status, text, whole, tookMs } = await ask(model, content);
    assert.deepEqual([status, whole], [200, true]);
    const events = text.split('\n\n').slice(0, -1);
    const last = events.pop() ?? '';
    assert.equal(codeOf(last.slice('data: '.length)), 'upstream_timeout');
    assert.ok(events.length > 0);
    for (const event of events) assert.equal(`${event}\n\n`, EVENT);
    isAbout(tookMs, expectedMs);
  });
}

for (const [content, expectedMs] of [
  ['long JSON that stalls', 200],
  ['endless JSON', 700],
] as const) {
  test(`${content}: the connection breaks after ${expectedMs} ms, so that nobody takes it for whole`, async () => {
    const { status, whole, tookMs } = await ask('general', content);
    assert.deepEqual([status, whole], [200, false]);
    isAbout(tookMs, expectedMs);
  });
}

test('who does not read when the total time is over is cut after the idle time', async () => {
  const socket = await openSocket(gateway.url);
  socket.pause();
  const closed = once(socket, 'close');
  const messages = [{ role: 'user', content: 'flood' }];
  const startedAtMs = performance.now();
  socket.write(post(gateway, '/v1/chat/completions', { model: 'brief', stream: true, messages }));
  await until(async () => (await gateway.metric('sluice_requests_in_flight')) === 1, 'the call to run');
  await until(async () => (await gateway.metric('sluice_requests_in_flight')) === 0, 'the call to be cut');
  isAbout(performance.now() - startedAtMs, 900);
  socket.destroy();
  await closed;
});

test('after each of them the server is left alone', async () => {
  await until(() => upstream.running() === 0, 'no call at the server');
  const lines = await gateway.logLines(10);
  for (const { status, outcome, error } of lines.filter((line) => line.outcome === 'broken')) {
    assert.deepEqual([status, outcome, error], [200, 'broken', 'upstream_timeout']);
  }
});
