/** A raw socket that reads into one buffer shared by all: a generator must cost less than what it measures. */
import { connect, type Socket } from 'node:net';

const sharedBuffer = Buffer.allocUnsafeSlow(65_536);

interface ClientSocket {
  readonly port: number;
  onOpen(): void;
  /** The bytes are valid until it returns. */
  onBytes(bytes: Buffer): void;
  /** Any end that was not asked for: no contestant may close a connection during a load. */
  onLost(cause: Error): void;
}

export function openSocket({ port, onOpen, onBytes, onLost }: ClientSocket): Socket {
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer: sharedBuffer,
      callback: (size: number) => {
        onBytes(sharedBuffer.subarray(0, size));
        return true;
      },
    },
  });
  socket.once('connect', onOpen);
  socket.once('error', onLost);
  socket.once('end', () => onLost(new Error('the connection was closed')));
  return socket;
}

/** Throws unless the bytes begin an answer with that status: figures of failing calls mean nothing. */
export function requireSuccess(head: string, status = 200): void {
  if (!head.startsWith(`HTTP/1.1 ${status} `)) throw new Error(`not a success: ${head.slice(0, 2_000)}`);
}
