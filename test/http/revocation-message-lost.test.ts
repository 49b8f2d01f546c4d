/** A revocation whose message never arrives at a replica holds there within the cache time, however hot the key. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const CACHE_SECONDS = 2;

/** Carries everything between a replica and Redis, except for published messages. */
async function startDeafProxy(redis: TestRedis) {
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

let redis: TestRedis;
let proxy: Awaited<ReturnType<typeof startDeafProxy>>;
let first: TestGateway;
let deaf: TestGateway;

before(async () => {
  redis = await startRedis();
  proxy = await startDeafProxy(redis);
  const config = { keys: { cache_seconds: CACHE_SECONDS } };
  first = await startGateway({ redis, config });
  deaf = await startGateway({ redis: { ...redis, url: proxy.url }, config, makeKey: false });
});
after(async () => {
  await Promise.all([first.stop(), deaf.stop()]);
  proxy.stop();
  await redis.stop();
});

async function ask({ url }: TestGateway, key: string): Promise<number> {
  const answer = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  await answer.arrayBuffer();
  return answer.status;
}

test('refused by the deaf replica within the cache time, and at once by one that hears', async (t) => {
  const { id, key } = await first.createKey();
  assert.equal(await ask(deaf, key), 200);
  const droppedBefore = proxy.dropped();
  assert.equal((await first.admin('DELETE', `/keys/${id}`)).status, 200);
  const revokedAtMs = performance.now();
  assert.equal(await ask(first, key), 401);
  let servedAtMs = revokedAtMs;
  await until(async () => {
    const sentAtMs = performance.now();
    if ((await ask(deaf, key)) === 401) return true;
    servedAtMs = sentAtMs;
    return false;
  }, 'the key to be refused');
  const tookMs = servedAtMs - revokedAtMs;
  t.diagnostic(`served for ${tookMs.toFixed(0)} ms more`);
  assert.ok(proxy.dropped() > droppedBefore, 'the message was lost');
  assert.ok(tookMs > 0, 'it was served for a while: nothing else told the replica');
  assert.ok(tookMs <= CACHE_SECONDS * 1_000 + 250, `${tookMs} ms`);
});
