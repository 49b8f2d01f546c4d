/**
 * Case S6: bodies of the largest size that are made to cost much are refused with 400, 413 or 415 in 100 ms, and none of them,
 * refused or served, keeps the event loop busy for 50 ms: in CPU time, because sending 20 MB takes longer. The smaller ones are in test/http/bad-body.test.ts.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bearer, chat } from '../http/client.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

const REFUSED_MS_MAX = 100;
const STALL_MS_MAX = 50;
/** What a quiet machine of the kind that the figures are from takes for the work of `calibrate`, in CPU time. */
const CALIBRATED_MS = 30;
/** Times the product's figures: three, and more on a machine that is slower, or shared. */
let slack = 3;
const BODY_LIMIT_BYTES = 20_000_000;
const SIZE = BODY_LIMIT_BYTES - 1_000;

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream((_request, response) => {
    response.setHeader('content-type', 'application/json').end('{"choices":[]}');
  });
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'], oversize: false }],
    },
    env: { NODE_OPTIONS: `--import=${new URL('./support/watch-loop.ts', import.meta.url)}` },
  });
  slack = 3 * calibrate();
  // As after the first minute of its life.
  for (let count = 0; count < 50; count += 1) await post(chat());
  for (let count = 0; count < 3; count += 1) await post(chat({ user: 'x'.repeat(5_000_000) }));
});
after(async () => {
  agent.destroy();
  await gateway.stop();
  await upstream.stop();
});

interface Answered {
  readonly status: number;
  readonly text: string;
}

/** How much slower this machine is now; at least 1. */
function calibrate(): number {
  const json = `"${'\\"'.repeat(9_900_000)}"`;
  const before = process.threadCpuUsage();
  for (let count = 0; count < 3; count += 1) JSON.parse(json);
  const after = process.threadCpuUsage();
  const tookMs = (after.user + after.system - before.user - before.system) / 3_000;
  return Math.max(1, tookMs / CALIBRATED_MS);
}

/** On a connection that is kept, as clients do it: what is refused early is still read away. */
const agent = new Agent({ keepAlive: true });

async function post(body: string | Buffer, headers: Record<string, string> = {}): Promise<Answered> {
  const { hostname, port } = new URL(gateway.url);
  const target = { hostname, port, path: '/v1/chat/completions', method: 'POST', agent };
  const outgoing = request({ ...target, headers: { ...bearer(gateway.key), ...headers } });
  const answered = once(outgoing, 'response');
  outgoing.end(body);
  const [response] = await answered;
  return { status: response.statusCode, text: await text(response) };
}

interface Busy {
  readonly longestMs: number;
  readonly totalMs: number;
}

/** Since it was asked for last. */
async function busy(): Promise<Busy> {
  const told = once(gateway.process, 'message');
  gateway.process.send('how busy?');
  const [answer] = (await told) as [Busy];
  return answer;
}

const START = '{"model":"public","messages":[{"role":"user","content":"Hello"}],';
const filled = (piece: string, end: string) =>
  `${START}"x":${piece.repeat(Math.floor((SIZE - START.length) / piece.length))}${end}}`;
const list = (piece: string) => filled(`${piece},`, '0').replace('"x":', '"x":[').replace(/0}$/, '0]}');
const numbered = (count: number, one: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => one(i)).join(',');

const bodies: readonly (readonly [title: string, status: number, body: () => string | Buffer])[] = [
  ['empty lists', 400, () => list('[]')],
  ['objects with a key', 400, () => list('{"a":1}')],
  ['10,002 fields', 400, () => `${START}${numbered(10_000, (i) => `"k${i}":1`)}}`],
  ['10,000 fields', 200, () => `${START}${numbered(9_998, (i) => `"k${i}":1`)}}`],
  ['distinct keys', 400, () => `${START}${numbered(1_300_000, (i) => `"k${i}":1`)}}`],
  ['nested lists', 400, () => '['.repeat(SIZE)],
  ['nested objects', 400, () => '{"a":'.repeat(SIZE / 5)],
  ['a number of 20 MB', 200, () => filled('9', '')],
  ['spaces and no end', 400, () => START + ' '.repeat(SIZE - START.length)],
  ['a string without an end', 400, () => `${START}"x":"${'a'.repeat(SIZE - 100)}`],
  ['backslashes', 400, () => `${START}"x":"${'\\'.repeat(SIZE - 101)}`],
  [
    'bad UTF-8 at the end',
    400,
    () =>
      Buffer.concat([Buffer.from(`${START}"x":"${'é'.repeat(9_000_000)}`), Buffer.from([0xff, 0x22, 0x7d])]),
  ],
  ['__proto__ and 99,000 values', 400, () => `${START}"__proto__":{"a":[${numbered(99_000, () => '{}')}]}}`],
  ['99,000 repeated keys', 400, () => `${START}${numbered(99_000, () => '"a":1')}}`],
  [
    '99,000 keys that an index could hold',
    200,
    () => `${START}"x":{${numbered(99_000, (i) => `"${i}":1`)}}}`,
  ],
  [
    '99,000 long keys with one beginning',
    200,
    () => `${START}"x":{${numbered(90_000, (i) => `"${'k'.repeat(200)}${i}":1`)}}}`,
  ],
  ['one string of 20 MB', 200, () => filled('"', '').replace(/"+}$/, `"${'a'.repeat(SIZE - 200)}"}`)],
  ['one string of escapes', 200, () => `${START}"x":"${'\\u0041'.repeat(3_300_000)}"}`],
  ['one string of quotes', 200, () => `${START}"x":"${'\\"'.repeat(9_900_000)}"}`],
  ['too large', 413, () => 'x'.repeat(BODY_LIMIT_BYTES + 1)],
];

for (const [title, status, make] of bodies) {
  test(`20 MB at most, ${title}: ${status}`, (t) => assertCheap(t, status, make()));
}

test('a bomb is refused by its encoding, without a look inside', (t) =>
  assertCheap(t, 415, gzipSync(Buffer.alloc(20_000_000, ' ')), { 'content-encoding': 'gzip' }));

async function assertCheap(
  t: TestContext,
  status: number,
  body: string | Buffer,
  headers: Record<string, string> = {},
): Promise<void> {
  assert.ok(body.length <= BODY_LIMIT_BYTES + 1, `${body.length}`);
  await busy();
  const answer = await post(body, headers);
  const { longestMs, totalMs } = await busy();
  t.diagnostic(`${answer.status}, busy for ${totalMs.toFixed(0)} ms, ${longestMs.toFixed(0)} at a time`);
  assert.equal(answer.status, status, answer.text.slice(0, 300));
  assert.ok(longestMs < slack * STALL_MS_MAX, `busy for ${longestMs} ms at a time`);
  if (status !== 200) assert.ok(totalMs < slack * REFUSED_MS_MAX, `busy for ${totalMs} ms`);
}
