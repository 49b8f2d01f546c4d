/** A simulator for one test, and two ways to talk to it: fetch, and a bare socket that sees every byte. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { SimulatorOptions } from '../../../src/simulator/options.ts';
import { createSimulator } from '../../../src/simulator/server.ts';
import type { SimulatorState } from '../../../src/simulator/state.ts';

export interface Running {
  readonly url: string;
  readonly state: SimulatorState;
}

export async function startSimulator(t: TestContext, options: SimulatorOptions = {}): Promise<Running> {
  const simulator = createSimulator(options);
  const { url } = await simulator.listen('127.0.0.1', 0);
  t.after(() => simulator.close());
  return { url, state: simulator.state };
}

export function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(url, {
    ...init,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...init.headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
export async function json(response: Response | Promise<Response>): Promise<any> {
  return (await response).json();
}

export const hello = { messages: [{ role: 'user', content: 'Hello there' }] };

/** The JSON of every `data:` line but `[DONE]`. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
export function dataOf(stream: string): any[] {
  return stream
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)));
}

export interface RawExchange {
  readonly socket: Socket;
  /** Another call on the same connection. */
  send(body: unknown): void;
  /** All bytes so far. */
  text(): string;
  /** Segments in which they came. */
  segments(): number;
  /** Resolves when the text fits. */
  until(holds: (text: string) => boolean): Promise<void>;
  /** How the server ended the connection. */
  readonly end: Promise<'fin' | 'reset'>;
}

/** Sends a chat call over a socket of its own. */
export async function rawCall(
  url: string,
  body: unknown,
  path = '/v1/chat/completions',
): Promise<RawExchange> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  await once(socket, 'connect');
  const pieces: Buffer[] = [];
  const text = () => Buffer.concat(pieces).toString();
  const waiting = new Set<() => void>();
  const end = new Promise<'fin' | 'reset'>((resolve) => {
    socket.on('end', () => resolve('fin'));
    socket.on('error', () => resolve('reset'));
  });
  socket.on('data', (bytes: Buffer) => {
    pieces.push(bytes);
    for (const look of waiting) look();
  });
  const send = (again: unknown) => {
    const payload = JSON.stringify(again);
    const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(payload)}`;
    socket.write(`${head}\r\n\r\n${payload}`);
  };
  send(body);
  return {
    socket,
    send,
    text,
    segments: () => pieces.length,
    until: (holds) =>
      new Promise((resolve) => {
        const look = () => {
          if (!holds(text())) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    end,
  };
}
