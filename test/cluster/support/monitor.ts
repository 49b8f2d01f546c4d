/**
 * Every command that a Redis runs, those of its scripts too, in their order. On a socket of its own: ioredis' monitor
 * takes a command that comes together with the reply to MONITOR for a reply to something else.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

export interface Monitor {
  stop(): void;
}

/** @param seen is told the command and its arguments, and Redis' clock in milliseconds */
export async function monitorRedis(
  port: number,
  seen: (command: readonly string[], nowMs: number) => void,
): Promise<Monitor> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
  const begun = once(lines, 'line');
  socket.write('MONITOR\r\n');
  await begun;
  lines.on('line', (line) => seen(wordsOf(line), 1_000 * Number.parseFloat(line.slice(1))));
  return { stop: () => void socket.destroy() };
}

/** `+1795258840.862627 [0 lua] "HSET" "k" "r" "5"`; a quote inside a word has a backslash before it. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = '']) =>
    word.replaceAll(/\\(["\\])/g, '$1'),
  );
}
