/** Nothing that a client makes up becomes a label: the number of series stays what it is. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { METHODS } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { newKeyId, newSecret } from '../../src/admission/keys/key-format.ts';
import { answerAsAsked } from '../http/answers.ts';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

/** Of each kind. */
const MADE_UP = process.env.SLUICE_LONG === '1' ? 100_000 : 25_000;
const WARM_UP = 500;
const ROUNDS_MAX = 3;
const CONNECTIONS = 8;
const PIPELINED = 50;
const HEAD = 'HTTP/1.1 ';

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      log: { level: 'warn' },
      // So that none is refused because Redis is slow on a machine that does much else.
      redis: { command_timeout_ms: 10_000 },
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [
        { name: 'public', versions: [{ name: 'stable', upstreams: ['gpu'] }] },
        { name: 'any', upstreams: ['gpu'], aliases: ['any-*'] },
      ],
      routes: [{ path: '/predict', upstream: 'gpu' }],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

test(`${MADE_UP} each of made-up models, versions, paths, methods, keys and header values add no series`, async (t) => {
  const beganMs = performance.now();
  let sent = await send(0, WARM_UP);
  let before = await seriesAfter(sent);
  let added: readonly string[] = [];
  // A machine that is slow may bring a first refusal of a kind that the warm-up had not; none comes every time.
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const from = WARM_UP + round * MADE_UP;
    sent += await send(from, from + MADE_UP);
    const now = await seriesAfter(sent);
    const known = new Set(before);
    added = now.filter((one) => !known.has(one));
    assert.deepEqual(added.filter((one) => /made/i.test(one)).slice(0, 3), []);
    before = now;
    if (added.length === 0) break;
  }
  assert.deepEqual(added.slice(0, 3), []);
  const seconds = (performance.now() - beganMs) / 1_000;
  t.diagnostic(`${before.length} series before and after, ${seconds.toFixed(1)} s`);
});

test('methods that nobody has heard of are refused without a series', async () => {
  await speak(requestLine(0));
  await until(
    async () => (await seriesAfter(0)).some((one) => one.includes('status="400"')),
    'the first one',
  );
  const before = await seriesAfter(0);
  for (let number = 1; number < 200; number += 1) {
    const answer = await speak(requestLine(number));
    assert.match(answer, /^HTTP\/1\.1 400 /);
  }
  assert.equal((await seriesAfter(0)).length, before.length);
});

function requestLine(number: number): string {
  return `MADE${number} /v1/models HTTP/1.1\r\nHost: a\r\n\r\n`;
}

/** Settles with the number of answers that came. */
async function send(from: number, to: number): Promise<number> {
  const each = Math.ceil((to - from) / CONNECTIONS);
  const parts = Array.from({ length: CONNECTIONS }, (_, index) => {
    const begin = from + index * each;
    return pipeline(begin, Math.min(to, begin + each));
  });
  return (await Promise.all(parts)).reduce((sum, count) => sum + count, 0);
}

async function pipeline(from: number, to: number): Promise<number> {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  let answers = 0;
  let answered = () => {};
  let rest = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    const heard = rest + piece;
    answers += heard.split(HEAD).length - 1;
    // A head may be cut; what is kept is too short to be counted twice.
    rest = heard.slice(1 - HEAD.length);
    answered();
  });
  let asked = 0;
  for (let at = from; at < to; at += PIPELINED) {
    let batch = '';
    for (let number = at; number < Math.min(to, at + PIPELINED); number += 1) {
      const requests = requestsOf(number);
      asked += requests.length;
      batch += requests.join('');
    }
    socket.write(batch);
    while (answers < asked)
      await new Promise<void>((resolve) => {
        answered = resolve;
      });
  }
  socket.destroy();
  return answers;
}

/** Four requests with names that nobody has used before. */
function requestsOf(number: number): string[] {
  const made = `made-up-${number}`;
  const method = unusual[number % unusual.length] ?? 'PUT';
  const keyId = newKeyId();
  const key = number % 2 === 0 ? newSecret(keyId) : `slc_${made}`;
  const model = number % 2 === 0 ? made : `public@${made}`;
  return [
    request('POST', `/v1/chat/completions?tenant=${made}`, gateway.key, made, chat(model, made)),
    request(method, `/${made}/v1`, gateway.key, made),
    request('GET', `/v1/models/${made}?model=${made}`, gateway.key, made),
    request('GET', '/v1/models', key, made),
  ];
}

const unusual = METHODS.filter((method) => !['CONNECT', 'HEAD', 'GET', 'POST'].includes(method));

function request(method: string, target: string, key: string, made: string, body = ''): string {
  const headers = [
    ...['Host: a', `Authorization: Bearer ${key}`, `X-Request-Id: ${made}`, `X-Forwarded-For: ${made}`],
    ...[`User-Agent: ${made}`, `OpenAI-Organization: ${made}`, `X-Tenant: ${made}`, `Prefer: ${made}`],
    ...[`X-Session-Id: ${made}`, `Content-Type: application/json`, `Content-Length: ${body.length}`],
  ];
  return `${method} ${target} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${body}`;
}

function chat(model: string, made: string): string {
  return JSON.stringify({ model, user: made, messages: [{ role: 'user', content: made }] });
}

async function speak(bytes: string): Promise<string> {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  let heard = '';
  socket
    .on('error', () => undefined)
    .on('data', (piece) => {
      heard += piece.toString('latin1');
    });
  const closed = once(socket, 'close');
  socket.end(bytes);
  await closed;
  return heard;
}

/** Once so many requests have been counted. Kinds of questions to Redis come with time, whoever asks. */
async function seriesAfter(requests: number): Promise<string[]> {
  let lines: string[] = [];
  const counted = () =>
    lines
      .filter((line) => line.startsWith('sluice_requests_total'))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  await until(async () => {
    const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
    lines = text
      .split('\n')
      .filter((line) => /^[a-z]/.test(line) && !line.startsWith('sluice_redis_command_'));
    return counted() >= requests;
  }, 'the requests in the metrics');
  return lines.map((line) => line.slice(0, line.lastIndexOf(' ')));
}
