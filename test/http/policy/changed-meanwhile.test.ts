/** A replica that has not heard of a tenant's new policy finds out at admission, and the call goes by the new one. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type DeafProxy, startDeafProxy } from '../../support/deaf-proxy.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { startUpstream, type TestUpstream } from '../../support/upstream.ts';
import { answerAsAsked } from '../answers.ts';
import { bearer, chat, send } from '../client.ts';

let redis: TestRedis;
let proxy: DeafProxy;
let upstream: TestUpstream;
let first: TestGateway;
let deaf: TestGateway;

before(async () => {
  redis = await startRedis();
  proxy = await startDeafProxy(redis);
  upstream = await startUpstream(answerAsAsked);
  const config = {
    keys: { cache_seconds: 60 },
    upstreams: [{ name: 'gpu', url: upstream.url }],
    models: [
      { name: 'public', upstreams: ['gpu'] },
      { name: 'other', upstreams: ['gpu'] },
    ],
    policies: [
      { name: 'old', forced: { seed: 1 } },
      { name: 'new', model: 'other', forced: { top_k: 2 }, suffix_text: ' New.' },
    ],
  };
  first = await startGateway({ redis, config });
  deaf = await startGateway({ redis: { ...redis, url: proxy.url }, config, makeKey: false });
});

after(async () => {
  await Promise.all([first.stop(), deaf.stop()]);
  proxy.stop();
  await upstream.stop();
  await redis.stop();
});

test('from no policy to one, to another, and to none', async () => {
  assert.deepEqual(await call(), { model: 'public', said: 'Good day.' });
  await change('old');
  assert.deepEqual(await call(), { model: 'public', seed: 1, said: 'Good day.' });
  await change('new');
  assert.deepEqual(await call(), { model: 'other', top_k: 2, said: 'Good day. New.' });
  await change(null);
  assert.deepEqual(await call(), { model: 'public', said: 'Good day.' });
  assert.ok(proxy.dropped() > 0, 'the replica was told, and did not hear it');
});

async function change(policy: string | null): Promise<void> {
  const { status, body } = await first.admin('PATCH', '/tenants/acme', { policy });
  assert.equal(status, 200, JSON.stringify(body));
}

async function call() {
  const { status, body } = await send(deaf.url, '/v1/chat/completions', {
    headers: bearer(first.key),
    body: chat(),
  });
  assert.equal(status, 200, body.toString());
  const arrived = upstream.requests.filter(({ method }) => method === 'POST').at(-1)?.body ?? '';
  const { messages: _, ...rest } = JSON.parse(arrived) as Record<string, unknown>;
  const answer = JSON.parse(body.toString()) as {
    model: string;
    choices: { message: { content: string } }[];
  };
  assert.equal(answer.model, 'public', 'the answer names what the client has asked for');
  return { ...rest, said: answer.choices[0]?.message.content };
}
