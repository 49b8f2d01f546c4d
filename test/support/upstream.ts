/** GPU servers for tests that need to say exactly which bytes come back. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from 'node:net';

export interface TestUpstream {
  readonly url: string;
  /** What arrived, newest last. */
  readonly requests: {
    readonly method: string;
    readonly path: string;
    readonly headers: IncomingMessage['headers'];
    readonly rawHeaders: string[];
    readonly body: string;
  }[];
  /** Requests whose response is open. */
  running(): number;
  stop(): Promise<void>;
}

export type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** What a gateway asks of its own accord. A server without metrics says so. */
function isOwnQuestion(path: string | undefined): path is '/health' | '/metrics' {
  return path === '/health' || path === '/metrics';
}

/** An HTTP server; `/health` answers 200 and `/metrics` 404 by itself. */
export async function startUpstream(handler: Handler): Promise<TestUpstream> {
  const requests: TestUpstream['requests'] = [];
  let running = 0;
  const server = createServer(async (request, response) => {
    if (isOwnQuestion(request.url)) {
      response.writeHead(request.url === '/health' ? 200 : 404).end();
      return;
    }
    running += 1;
    response.once('close', () => {
      running -= 1;
    });
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces).toString();
    const { method = '', url: path = '', headers, rawHeaders } = request;
    requests.push({ method, path, headers, rawHeaders, body });
    handler(request, response, body);
  });
  server.keepAliveTimeout = 60_000;
  const url = await listen(server);
  return {
    url,
    requests,
    running: () => running,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface RawUpstream {
  readonly url: string;
  /** The bytes that every further request of a call is answered with. */
  answer(bytes: Buffer, options?: { readonly byteByByte?: boolean; readonly then?: 'end' | 'reset' }): void;
  /** Bodies of the requests so far. */
  readonly bodies: string[];
  stop(): Promise<void>;
}

/** A server that answers with recorded bytes, status line and all. */
export async function startRawUpstream(): Promise<RawUpstream> {
  let bytes: Buffer = Buffer.alloc(0);
  let byteByByte = false;
  let then: 'end' | 'reset' = 'end';
  const bodies: string[] = [];
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    let received = '';
    socket.on('data', async (piece) => {
      received += piece.toString('latin1');
      const split = received.indexOf('\r\n\r\n');
      if (split < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received.slice(0, split))?.[1] ?? 0);
      if (received.length - split - 4 < length) return;
      const head = received.slice(0, split);
      const body = Buffer.from(received.slice(split + 4), 'latin1').toString();
      received = '';
      const path = head.split(' ')[1];
      if (isOwnQuestion(path)) {
        socket.end(
          `HTTP/1.1 ${path === '/health' ? '200 OK' : '404 Not Found'}\r\ncontent-length: 0\r\n\r\n`,
        );
        return;
      }
      bodies.push(body);
      if (byteByByte) await trickle(socket, bytes);
      else socket.write(bytes);
      if (then === 'reset') socket.resetAndDestroy();
      else socket.end();
    });
  });
  const url = await listen(server);
  return {
    url,
    bodies,
    answer(next, options = {}) {
      bytes = next;
      byteByByte = options.byteByByte ?? false;
      then = options.then ?? 'end';
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** One byte a write, each in its own turn of the loop, so that most arrive alone. */
async function trickle(socket: Socket, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    if (socket.destroyed) return;
    socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
