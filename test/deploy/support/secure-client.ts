/** Says things to a balancer over TLS, as a client would, or as none should. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { type RequestOptions, request } from 'node:https';
import { connect } from 'node:tls';
import type { Reply } from '../../http/client.ts';
import type { Balancer } from './balancer.ts';

type Door = Pick<Balancer, 'port' | 'ca'>;

export interface SecureWish {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  /** Sent in chunks, without a length. */
  readonly chunked?: boolean;
  readonly agent?: RequestOptions['agent'];
  /** Address of the caller's end. */
  readonly localAddress?: string;
}

/** Over HTTP/1.1. */
export async function ask(door: Door, wish: SecureWish = {}): Promise<Reply> {
  const { outgoing, answered } = open(door, wish);
  const startedAtMs = performance.now();
  const { body, chunked } = wish;
  if (body !== undefined && !chunked) outgoing.setHeader('content-length', Buffer.byteLength(body));
  outgoing.end(body);
  const [response] = await answered;
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  const { statusCode: status, headers } = response;
  return { status, headers, body: Buffer.concat(pieces), tookMs: performance.now() - startedAtMs };
}

/** A request that has not been sent to its end. */
export function open({ port, ca }: Door, wish: SecureWish = {}) {
  const { method = 'POST', path = '/v1/chat/completions', headers = {}, agent = false, localAddress } = wish;
  const own = localAddress !== undefined && { localAddress };
  const outgoing = request({ host: '127.0.0.1', port, ca, path, method, headers, agent, ...own });
  const answered = once(outgoing, 'response');
  answered.catch(() => undefined);
  // What comes behind the answer is that the rest of the body is not wanted.
  outgoing.on('error', () => undefined);
  return { outgoing, answered };
}

/** Over HTTP/2; also which protocol was agreed upon. */
export async function askHttp2({ port, ca }: Door, wish: SecureWish = {}) {
  const { method = 'POST', path = '/v1/chat/completions', headers = {}, body } = wish;
  const session = connectHttp2(`https://localhost:${port}`, { ca });
  const stream = session.request({ ':method': method, ':path': path, ...headers });
  stream.end(body);
  const [head] = await once(stream, 'response');
  let text = '';
  for await (const piece of stream) text += piece;
  const protocol = session.alpnProtocol;
  session.close();
  return { status: Number(head[':status']), headers: head as Record<string, string>, text, protocol };
}

const SILENCE_MS = 1_000;
const WHOLE_ANSWER = /^HTTP\/1\.1 \d{3} [\s\S]*\r\ncontent-length: (\d+)\r\n[\s\S]*?\r\n\r\n/i;

/**
 * Bytes on a connection of their own; settles with all that came back when the other side has closed it. This side
 * says that it is done when an answer has come or nothing for a second, and not before: to HAProxy a caller who is
 * done has left.
 */
export async function speakSecurely({ port, ca }: Door, bytes: string): Promise<string> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    ca,
    servername: 'localhost',
    ALPNProtocols: ['http/1.1'],
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  let heard = '';
  socket.setTimeout(SILENCE_MS, () => socket.end());
  socket.on('error', () => undefined).setEncoding('latin1');
  socket.on('data', (piece: string) => {
    heard += piece;
    const answer = WHOLE_ANSWER.exec(heard);
    if (answer && heard.length >= answer[0].length + Number(answer[1])) socket.end();
  });
  socket.once('secureConnect', () => socket.write(bytes, 'latin1'));
  await closed;
  return heard;
}
