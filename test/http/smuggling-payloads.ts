/** Messages that two readers may read differently, which is how requests are smuggled. */
import { chat } from './client.ts';

export const body = chat({ user: 'outer' });
export const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
/** What would be a request of its own to a reader who ends the first one elsewhere. */
const smuggled = 'POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n';
export const length = `Content-Length: ${body.length}`;

export const payloads: [title: string, headers: string[], body: string][] = [
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

export const heads: [title: string, requestLine: string][] = [
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

/** A whole message; of the headers only those are given that make it odd. */
export function rawRequest(
  key: string,
  requestLine: string,
  headers: readonly string[],
  sent: string,
): string {
  const common = ['Host: a', `Authorization: Bearer ${key}`, 'Content-Type: application/json'];
  return `${[requestLine, ...common, ...headers].join('\r\n')}\r\n\r\n${sent}`;
}
