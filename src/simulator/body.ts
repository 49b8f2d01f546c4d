/** Reads a request's body whole. Nothing is called when the client leaves before the end. */
import type { IncomingMessage } from 'node:http';

export function readBody(request: IncomingMessage, done: (body: Buffer) => void): void {
  let first: Buffer | undefined;
  let parts: Buffer[] | undefined;
  request.on('data', (part: Buffer) => {
    if (!first) first = part;
    else if (parts) parts.push(part);
    else parts = [first, part];
  });
  request.on('end', () => done(parts ? Buffer.concat(parts) : (first ?? Buffer.alloc(0))));
}
