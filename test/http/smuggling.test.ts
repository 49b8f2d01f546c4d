/** Two readings of one message are how requests are smuggled: such bytes are refused, and none are forwarded. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { bearer, chat, send, speak } from './client.ts';

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
      routes: [{ path: '/predict', upstream: 'gpu' }],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

const body = chat({ user: 'outer' });
const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const smuggled = 'POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';
const length = `Content-Length: ${body.length}`;

const payloads: [title: string, headers: string[], body: string][] = [
  ['length and chunks', [length, 'Transfer-Encoding: chunked'], chunked + smuggled],
  ['chunks and length', ['Transfer-Encoding: chunked', length], chunked + smuggled],
  ['a length of 0 and chunks', ['Content-Length: 0', 'Transfer-Encoding: chunked'], chunked],
  ['two lengths', [length, 'Content-Length: 5'], body + smuggled],
  ['the same length twice', [length, length], body],
  ['a list of lengths', [`Content-Length: ${body.length}, ${body.length}`], body],
  ['a length with a plus', [`Content-Length: +${body.length}`], body],
  ['a length with a space inside', ['Content-Length: 1 0'], body],
  ['an empty length', ['Content-Length: '], body],
  ['a length beyond 2^64', ['Content-Length: 18446744073709551617'], body],
  ['a space before the colon of the length', [`Content-Length : ${body.length}`], body],
  ['chunked, twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], chunked],
  ['chunked and identity', ['Transfer-Encoding: chunked, identity'], chunked],
  ['chunked and something else', ['Transfer-Encoding: chunked', 'Transfer-Encoding: cow'], chunked],
  ['an encoding that is no encoding', ['Transfer-Encoding: xchunked'], chunked],
  ['identity', ['Transfer-Encoding: identity'], chunked],
  ['gzip before chunked', ['Transfer-Encoding: gzip, chunked'], chunked],
  ['chunked behind a vertical tab', ['Transfer-Encoding: \x0bchunked'], chunked],
  ['chunked in quotes', ['Transfer-Encoding: "chunked"'], chunked],
  ['a space before the colon of the encoding', ['Transfer-Encoding : chunked'], chunked],
  ['a tab before the colon of the encoding', ['Transfer-Encoding\t: chunked'], chunked],
  ['an encoding on a folded line', ['Transfer-Encoding:\r\n chunked'], chunked],
  ['an encoding behind a bare line feed', ['X-A: b\nTransfer-Encoding: chunked'], chunked],
  ['an encoding behind a bare carriage return', ['X-A: b\rTransfer-Encoding: chunked'], chunked],
  ['an encoding behind a NUL', ['Transfer-Encoding: \0chunked'], chunked],
  ['a header line that begins with a space', [' Transfer-Encoding: chunked', length], body],
  ['a chunk size beyond 2^64', ['Transfer-Encoding: chunked'], `10000000000000000${chunked}`],
  ['a chunk size below 0', ['Transfer-Encoding: chunked'], `-1\r\n${body}\r\n0\r\n\r\n`],
  ['a chunk size with 0x', ['Transfer-Encoding: chunked'], `0x${chunked}`],
  ['a chunk size with a space in front', ['Transfer-Encoding: chunked'], ` ${chunked}`],
  ['a chunk size behind a bare line feed', ['Transfer-Encoding: chunked'], chunked.replaceAll('\r\n', '\n')],
  [
    'a chunk extension with a bare line feed',
    ['Transfer-Encoding: chunked'],
    chunked.replace('\r\n', ';a\nb\r\n'),
  ],
  [
    'a length among the trailers',
    ['Transfer-Encoding: chunked'],
    chunked.replace('0\r\n\r\n', '0\r\nContent-Length: 3\r\n\r\n'),
  ],
  ['no line end behind a chunk', ['Transfer-Encoding: chunked'], chunked.replace('}\r\n0', '}0')],
];

for (const [title, headers, sent] of payloads) {
  test(`${title}: 400 or closed`, async () => {
    const heard = await speak(gateway.url, raw('POST /v1/chat/completions HTTP/1.1', headers, sent), true);
    assertRefused(heard);
  });
}

const heads: [title: string, requestLine: string][] = [
  ['a request line with two targets', 'POST /v1/chat/completions /predict HTTP/1.1'],
  ['a request line with a tab', 'POST\t/v1/chat/completions\tHTTP/1.1'],
  ['a line feed in the target', 'POST /v1/chat/completions\n HTTP/1.1'],
  ['a carriage return in the target', 'POST /v1/chat\r/completions HTTP/1.1'],
  ['a NUL in the target', 'POST /v1/chat/completions\0 HTTP/1.1'],
  ['a version that does not exist', 'POST /v1/chat/completions HTTP/1.9'],
  ['a version with a comma', 'POST /v1/chat/completions HTTP/1,1'],
  ['a version in lower case', 'POST /v1/chat/completions http/1.1'],
  ['a method in lower case', 'post /v1/chat/completions HTTP/1.1'],
  ['a method with a prefix', 'XPOST /v1/chat/completions HTTP/1.1'],
];

for (const [title, requestLine] of heads) {
  test(`${title}: 400 or closed`, async () => {
    assertRefused(await speak(gateway.url, raw(requestLine, [length], body), true));
  });
}

test('lines that end with bare line feeds: 400 or closed', async () => {
  const bytes = raw('POST /v1/chat/completions HTTP/1.1', [length], body).replaceAll('\r\n', '\n');
  assertRefused(await speak(gateway.url, bytes, true));
});

test('chunks with extensions and trailers are read as chunks and nothing of them is passed on', async () => {
  const trailers = chunked
    .replace('\r\n', ';name=value\r\n')
    .replace('\r\n0\r\n\r\n', '\r\n0\r\nX-Trailer: x\r\n\r\n');
  const headers = ['Transfer-Encoding: chunked', 'Connection: close', 'Trailer: X-Trailer'];
  const heard = await speak(gateway.url, raw('POST /v1/chat/completions HTTP/1.1', headers, trailers));
  assert.match(heard, /^HTTP\/1\.1 200 /);
  const request = upstream.requests.pop();
  assert.equal(request?.body, body);
  assert.deepEqual(
    [request?.headers['x-trailer'], request?.headers['content-length']],
    [undefined, `${body.length}`],
  );
});

test('an honest request is served afterwards', async () => {
  const { status } = await send(gateway.url, '/v1/chat/completions', { headers: bearer(gateway.key), body });
  assert.equal(status, 200);
  assert.equal(upstream.requests.length, 1);
});

function raw(requestLine: string, headers: readonly string[], sent: string): string {
  const { key } = gateway;
  const common = ['Host: a', `Authorization: Bearer ${key}`, 'Content-Type: application/json'];
  return `${[requestLine, ...common, ...headers].join('\r\n')}\r\n\r\n${sent}`;
}

function assertRefused(heard: string): void {
  if (heard !== '') assert.match(heard, /^HTTP\/1\.1 400 /, heard.slice(0, 300));
  assert.equal(heard.split('HTTP/1.1 ').length <= 2, true, `one answer at most: ${heard}`);
  assert.deepEqual(upstream.requests.splice(0), [], 'nothing was forwarded');
}
