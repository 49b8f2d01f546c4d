/** What the tests of the public listener say to it, in ways in which `fetch` would not. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { type ErrorName, errorTable } from '../../src/core/errors.ts';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly tookMs: number;
}

export interface Wanted {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Buffer;
  /** Sent without a length, in pieces of this many bytes. */
  readonly chunkBytes?: number;
}

/** The target goes out as it is, and of headers only what is given (besides Host and the body's framing). */
export async function send(url: string, target: string, wanted: Wanted = {}): Promise<Reply> {
  const { method = 'POST', headers = {}, body, chunkBytes } = wanted;
  const startedAtMs = performance.now();
  const { hostname, port } = new URL(url);
  const outgoing = request({ hostname, port, path: target, method, headers, agent: false });
  const answered = once(outgoing, 'response');
  const bytes = Buffer.from(body ?? '');
  if (chunkBytes === undefined) {
    if (body !== undefined) outgoing.setHeader('content-length', bytes.length);
    outgoing.end(body === undefined ? undefined : bytes);
  } else {
    for (let at = 0; at < bytes.length; at += chunkBytes) outgoing.write(bytes.subarray(at, at + chunkBytes));
    outgoing.end();
  }
  const [response] = await answered;
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  const tookMs = performance.now() - startedAtMs;
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces), tookMs };
}

/** Bytes on a connection of their own; settles with all that came back when the other side has closed it. */
export async function speak(url: string, bytes: string | Buffer, end = false): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let heard = '';
  socket.on('data', (piece) => {
    heard += piece.toString('latin1');
  });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  socket.write(bytes);
  if (end) socket.end();
  await closed;
  return heard;
}

/** The only answer in what `speak` has heard. */
export function readReply(heard: string): Reply {
  const split = heard.indexOf('\r\n\r\n');
  assert.ok(split > 0, `no answer in ${JSON.stringify(heard.slice(0, 200))}`);
  const [statusLine = '', ...lines] = heard.slice(0, split).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const body = Buffer.from(heard.slice(split + 4), 'latin1');
  return { status: Number(statusLine.split(' ')[1]), headers, body, tookMs: 0 };
}

interface ErrorFields {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string;
}

/** Holds an answer to the format of errors, and to the row of the table that it should come from. */
export function assertRefused(
  reply: Reply,
  name: ErrorName,
  status: number = errorTable[name].status,
): ErrorFields {
  const text = reply.body.toString();
  assert.equal(reply.status, status, text.slice(0, 300));
  assert.match(String(reply.headers['content-type']), /^application\/json/);
  assert.match(String(reply.headers['x-request-id']), /^[\x21-\x7e]{1,128}$/);
  assert.equal(reply.headers['x-should-retry'], String(errorTable[name].retryable));
  assert.doesNotMatch(text, /\bat .*:\d+:\d+|node_modules|\.ts\b/, 'no stack trace');
  const { error } = JSON.parse(text) as { error: ErrorFields };
  assert.deepEqual(Object.keys(JSON.parse(text) as object), ['error']);
  assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type']);
  assert.equal(error.code, errorTable[name].code);
  assert.equal(error.type, errorTable[name].type);
  assert.notEqual(error.message, '');
  return error;
}

export function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
}

export function chat(fields: Record<string, unknown> = {}): string {
  return JSON.stringify({ model: 'public', messages: [{ role: 'user', content: 'Hello' }], ...fields });
}
