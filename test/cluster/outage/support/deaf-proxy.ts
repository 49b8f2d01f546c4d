/** Carries everything between a replica and Redis, except for published messages. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface DeafProxy {
  readonly url: string;
  /** Messages that did not arrive. */
  dropped(): number;
}

export async function startDeafProxy(t: TestContext, redisPort: number): Promise<DeafProxy> {
  const sockets = new Set<Socket>();
  let dropped = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    const toRedis = connect({ port: redisPort, host: '127.0.0.1', noDelay: true });
    const end = () => {
      socket.destroy();
      toRedis.destroy();
    };
    for (const one of [socket, toRedis]) {
      sockets.add(one);
      one.on('error', () => undefined).on('close', end);
    }
    socket.on('data', (piece) => toRedis.write(piece));
    toRedis.on('data', (piece) => {
      const isMessage = /^(\*3|>3)\r\n\$7\r\nmessage\r\n/.test(piece.toString('latin1'));
      if (isMessage) dropped += 1;
      else socket.write(piece);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, dropped: () => dropped };
}
