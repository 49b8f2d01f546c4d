/** A way to Redis on which a replica never hears that a record has changed. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestRedis } from './redis.ts';

export type DeafProxy = Awaited<ReturnType<typeof startDeafProxy>>;

/** Carries everything between a replica and Redis, except for published messages. */
export async function startDeafProxy(redis: TestRedis) {
  const sockets = new Set<Socket>();
  let dropped = 0;
  const server = createServer((socket) => {
    const toRedis = connect(redis.port, '127.0.0.1');
    for (const one of [socket, toRedis]) {
      sockets.add(one);
      one.setNoDelay(true);
      one
        .on('error', () => undefined)
        .on('close', () => {
          socket.destroy();
          toRedis.destroy();
        });
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
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    dropped: () => dropped,
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
