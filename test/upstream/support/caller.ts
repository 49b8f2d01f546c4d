/** A client of which every byte and every moment is known: a bare socket. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawCall {
  readonly socket: Socket;
  /** All bytes so far. */
  text(): string;
  /** Resolves when the text fits; rejects when the connection closes before. */
  until(holds: (text: string) => boolean): Promise<void>;
  /** When the connection is closed, from whichever side. */
  readonly closed: Promise<void>;
}

interface Target {
  readonly url: string;
  readonly key: string;
}

/** The bytes of a POST with JSON. */
export function post({ url, key }: Target, path: string, body: unknown): string {
  const json = JSON.stringify(body);
  return [
    `POST ${path} HTTP/1.1`,
    `host: ${new URL(url).host}`,
    `authorization: Bearer ${key}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(json)}`,
    '',
    json,
  ].join('\r\n');
}

export function get({ url, key }: Target, path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: ${new URL(url).host}\r\nauthorization: Bearer ${key}\r\n\r\n`;
}

export async function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  await once(socket, 'connect');
  return socket;
}

/** Sends the bytes over a connection of its own and reads on. */
export async function rawCall(url: string, bytes: string): Promise<RawCall> {
  const socket = await openSocket(url);
  const watchers = new Set<() => void>();
  let text = '';
  let isClosed = false;
  const look = () => {
    for (const watcher of watchers) watcher();
  };
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      isClosed = true;
      look();
      resolve();
    });
  });
  socket.on('error', () => undefined).setEncoding('latin1');
  socket.on('data', (piece: string) => {
    text += piece;
    look();
  });
  socket.write(bytes);
  const until = (holds: (text: string) => boolean) =>
    new Promise<void>((resolve, reject) => {
      const watcher = () => {
        if (!holds(text) && !isClosed) return;
        watchers.delete(watcher);
        if (holds(text)) resolve();
        else reject(new Error(`closed after ${JSON.stringify(text.slice(-500))}`));
      };
      watchers.add(watcher);
      watcher();
    });
  return { socket, text: () => text, until, closed };
}

export const hello = [{ role: 'user', content: 'Hello' }];
