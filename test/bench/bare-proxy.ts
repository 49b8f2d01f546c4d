/** The yardstick: what a few lines of Fastify and undici cost that check nothing, change nothing and count nothing. */
import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { Agent, request } from 'undici';

const upstreamUrl = process.argv[2] ?? '';
const dispatcher = new Agent();
const app = fastify({ bodyLimit: 20_000_000, forceCloseConnections: true });

app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
  done(null, body),
);

app.post('/v1/chat/completions', async (incoming, reply) => {
  const answer = await request(upstreamUrl + incoming.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: incoming.headers.authorization },
    body: incoming.body as Buffer,
    dispatcher,
  });
  const contentType = String(answer.headers['content-type']);
  reply.code(answer.statusCode).header('content-type', contentType);
  return contentType.startsWith('text/event-stream') ? answer.body : answer.body.text();
});

await app.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
process.send?.({ port: (app.server.address() as AddressInfo).port });
process.on('disconnect', () => process.exit(0));
