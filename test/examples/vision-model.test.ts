/**
 * What the example of a vision model that users pay for promises, with simulators in place of its three servers.
 * Each promise of the set-up, and the test that holds it (promises.test.ts sees to it that there is one):
 *
 * | promise | file: test |
 * | --- | --- |
 * | it starts, and is called, as its README says | readme: what the README of ${name} says is what comes |
 * | it starts without its servers | start: ${name} starts without its servers, names them |
 * | keys with a rate limit | vision-model: a user’s key has a rate |
 * | keys with a total quota, and what is used | vision-model: a total quota that is spent refuses for good |
 * | keys with an expiry and a switch | vision-model: a key that has expired, or is switched off |
 * | images in messages | vision-model: an image arrives, and headers tell time and what is left |
 * | images by address | vision-model: an image by address is fetched from the listed host |
 * | what is left and the time taken in headers, and in the body where the tenant asks | vision-model: an image arrives, and headers tell time and what is left; the body too |
 * | GET /v1/usage for the holder of a key | vision-model: a total quota that is spent refuses for good, and usage still tells |
 * | calls kept and summed: seven days, calls, total and mean time | vision-model-operation: calls are kept, and summed over seven days |
 * | billing by tokens, by image and its resolution, by GPU time | vision-model: a call costs its tokens, each image by its size |
 * | an admin who creates users | vision-model-access: an admin with a key of her own makes users |
 * | request ids | vision-model-operation: each answer has a request id |
 * | health of gateway and model told apart | vision-model-operation: when the servers of the model are gone, /health says so of the model alone |
 * | unit files of a process supervisor | deploy/supervisor: what ${name} runs starts, and ends by itself |
 * | the same of systemd | deploy/systemd: what ${file} runs starts |
 * | nginx with HTTPS in front | vision-model-operation: nginx with HTTPS in front |
 * | alerts to mail, DingTalk and SMS through Alertmanager | vision-model-operation: when the servers of the model are gone, /health says so of the model alone, and mail, DingTalk and SMS |
 * | key rotation | vision-model-access: a key is rotated |
 * | address allow-lists | vision-model-access: a key with a list of addresses is good there alone |
 * | JWT | vision-model-access: a token of the login service is taken in place of a key |
 * | caching and de-duplication of equal requests | vision-model: equal requests at once are answered by one call of a server |
 * | several models and versions with routing | vision-model: either version can be asked for |
 * | balancing | vision-model: a few keys in a hundred meet the canary, always the same, and both servers of the other version work |
 * | autoscaling | vision-model-operation: the metric by which servers are started grows |
 * | backup and restore of everything in Redis | vision-model-operation: all that Redis holds is backed up and put back |
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createSimulator } from '../../src/simulator/server.ts';
import { assertRefused, bearer, type Reply, send } from '../http/client.ts';
import { type TestGateway, until } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { startExample } from './support/example.ts';

const MODEL = 'step3-vl-10b';
const USERS = 200;
/** Of a user each; fixed, so that the same of them meet the canary in every run. */
const keys = Array.from({ length: USERS }, (_, index) => `a-key-of-user-${index}-0123456789`);
const env = { SLUICE_KEYS: keys.map((key, index) => `user-${index}=${key}`).join(',') };

const stable = [1, 2].map(() => createSimulator({ models: ['stepfun-ai/Step3-VL-10B'], tokens: 6 }));
const canary = createSimulator({ models: ['/models/Step3-VL-10B-next'], tokens: 6 });
const servers = [...stable, canary];
let images: TestUpstream;
let gateway: TestGateway;

before(async () => {
  images = await startUpstream((_, response) => {
    response.setHeader('content-type', 'image/png').end(png(10, 10));
  });
  const replacements: Record<string, string> = {
    'images.example.com': JSON.stringify(new URL(images.url).host),
  };
  for (const [index, server] of servers.entries()) {
    replacements[`http://127.0.0.1:800${index + 1}`] = (await server.listen('127.0.0.1', 0)).url;
  }
  gateway = await startExample('vision-model', replacements, { env });
});

after(async () => {
  await gateway.stop();
  await images.stop();
  await Promise.all(servers.map((server) => server.close()));
});

/** The head of a picture, which is all that its size is read from. */
function png(width: number, height: number): Buffer {
  const head = Buffer.from('89504e470d0a1a0a0000000d49484452000000000000000008000000000', 'hex');
  head.writeUInt32BE(width, 16);
  head.writeUInt32BE(height, 20);
  return head;
}

function picture(width: number, height: number): string {
  return `data:image/png;base64,${png(width, height).toString('base64')}`;
}

function withImage(url: string, text = 'What is it?') {
  const content = [
    { type: 'text', text },
    { type: 'image_url', image_url: { url } },
  ];
  return { messages: [{ role: 'user', content }] };
}

function ask(key: string, fields: Record<string, unknown>): Promise<Reply> {
  return send(gateway.url, '/v1/chat/completions', { headers: bearer(key), body: JSON.stringify(fields) });
}

async function ok(key: string, fields: Record<string, unknown>): Promise<Reply> {
  const reply = await ask(key, fields);
  assert.equal(reply.status, 200, reply.body.toString());
  return reply;
}

function hello(more: Record<string, unknown> = {}, text = 'Hello') {
  return { messages: [{ role: 'user', content: text }], ...more };
}

/** Calls that the servers have been sent. */
function sent(of = servers): number {
  return of.reduce((sum, { state }) => sum + state.counts.started, 0);
}

async function usageOf(key: string): Promise<Record<string, unknown>> {
  const reply = await send(gateway.url, '/v1/usage', { method: 'GET', headers: bearer(key) });
  assert.equal(reply.status, 200);
  return JSON.parse(reply.body.toString());
}

test('an image arrives, and headers tell time and what is left; the body too for alice alone', async () => {
  const { key: alices } = await gateway.createKey({ tenant: 'alice', name: 'web' });
  const { key: bobs } = await gateway.createKey({ tenant: 'bob', name: 'web' });
  for (const [key, isAlice] of [
    [alices, true],
    [bobs, false],
  ] as const) {
    const asked = withImage(picture(20, 20));
    const { headers, body } = await ok(key, asked);
    assert.ok(servers.some(({ state }) => String(state.last?.body).includes(picture(20, 20))));
    const left = ['requests', 'images'].map((what) => headers[`x-quota-remaining-${what}`]);
    assert.deepEqual(left, ['999', '4999']);
    assert.match(String(headers['x-process-time']), /^\d+\.\d+$/);
    const { metadata } = JSON.parse(body.toString());
    if (!isAlice) assert.equal(metadata, undefined);
    else
      assert.deepEqual(
        [metadata.remaining_quota, /^\d+\.\d\ds$/.test(metadata.processing_time)],
        [999, true],
      );
  }
});

test('a user’s key has a rate', async () => {
  const { key } = await gateway.createKey({ tenant: 'hasty', name: 'k' });
  const begunAtMs = performance.now();
  let admitted = 0;
  let last = await ask(key, hello());
  for (; last.status === 200; admitted += 1) last = await ask(key, hello());
  const { type } = assertRefused(last, 'rate_limit_exceeded');
  const comeBack = (performance.now() - begunAtMs) / 1_000;
  assert.equal(type, 'requests');
  assert.ok(admitted >= 60 && admitted <= 60 + comeBack, `${admitted} admitted`);
});

test('a total quota that is spent refuses for good, and usage still tells; an admin can raise it', async () => {
  const quotas = [{ period: 'total', requests: 2 }];
  const { id, key } = await gateway.createKey({ tenant: 'carol', name: 'small', quotas });
  await ok(key, hello());
  await ok(key, hello());
  const refused = await ask(key, hello());
  assertRefused(refused, 'insufficient_quota');
  assert.equal(refused.headers['retry-after'], undefined);
  await until(async () => {
    const { recent_stats } = (await usageOf(key)) as { recent_stats: { total_calls: number } };
    return recent_stats.total_calls === 2;
  }, 'both calls in the books');
  const { user_name, used_quota, total_quota, remaining_quota } = await usageOf(key);
  assert.deepEqual([user_name, used_quota, total_quota, remaining_quota], ['small', 2, 2, 0]);
  await gateway.admin('PATCH', `/keys/${id}`, { quotas: [{ period: 'total', requests: 3 }] });
  await until(async () => (await ask(key, hello())).status === 200, 'the larger quota');
});

test('a key that has expired, or is switched off, is refused; switched on it works again', async () => {
  const expires_at = new Date(Date.now() + 500).toISOString();
  const { key: passing } = await gateway.createKey({ tenant: 'dave', name: 'trial', expires_at });
  await until(async () => (await ask(passing, hello())).status === 401, 'its end');
  assert.ok(Date.now() >= Date.parse(expires_at));

  const { id, key } = await gateway.createKey({ tenant: 'dave', name: 'k' });
  await ok(key, hello());
  await gateway.admin('PATCH', `/keys/${id}`, { status: 'disabled' });
  await until(async () => (await ask(key, hello())).status === 401, 'the switch');
  await gateway.admin('PATCH', `/keys/${id}`, { status: 'active' });
  await until(async () => (await ask(key, hello())).status === 200, 'the switch back');
});

test('a call costs its tokens, each image by its size, and its time on the GPU', async () => {
  const { key } = await gateway.createKey({ tenant: 'erin', name: 'k' });
  const sizes = [
    [1024, 1024, 500_000],
    [2048, 2048, 1_000_000],
    [3000, 2000, 2_000_000],
  ] as const;
  for (const [width, height] of sizes) await ok(key, withImage(picture(width, height)));
  type Calls = Record<'input_tokens' | 'output_tokens' | 'images' | 'gpu_ms' | 'cost_nano_usd', number>[];
  let calls: Calls = [];
  await until(async () => {
    calls = (await gateway.admin('GET', '/usage/calls?tenant=erin')).body.data as Calls;
    return calls.length === sizes.length;
  }, 'the calls in the books');
  for (const [index, [, , ofImage]] of sizes.entries()) {
    const call = calls.at(-1 - index);
    assert.ok(call);
    const { input_tokens, output_tokens, gpu_ms, cost_nano_usd } = call;
    assert.equal(cost_nano_usd, input_tokens * 200 + output_tokens * 800 + ofImage + gpu_ms * 500);
    assert.deepEqual([output_tokens, call.images], [6, 1]);
  }
});

test('a few keys in a hundred meet the canary, always the same, and both servers of the other version work', async () => {
  const before = servers.map(({ state }) => state.counts.started);
  const metCanary = async (key: string, text: string) => {
    const known = canary.state.counts.started;
    await ok(key, hello({}, text));
    return canary.state.counts.started > known;
  };
  const chosen: string[] = [];
  for (const key of keys) if (await metCanary(key, `Hello from ${key}`)) chosen.push(key);
  assert.ok(chosen.length >= 1 && chosen.length <= USERS / 10, `${chosen.length} of ${USERS}`);
  const [first, second] = servers.map(({ state }, index) => state.counts.started - (before[index] ?? 0));
  assert.ok(Math.min(first ?? 0, second ?? 0) > USERS / 10, `${first} and ${second}`);

  for (const key of chosen) for (const text of ['a', 'b', 'c']) assert.ok(await metCanary(key, text));
  const others = keys.filter((key) => !chosen.includes(key)).slice(0, 20);
  for (const key of others) assert.equal(await metCanary(key, 'again'), false);
});

test('either version can be asked for, and answers name what was asked for', async () => {
  for (const [version, serve] of [
    ['stable', stable],
    ['canary', [canary]],
  ] as const) {
    const before = sent([...serve]);
    const { body } = await ok(gateway.key, hello({ model: `${MODEL}@${version}` }));
    assert.equal(JSON.parse(body.toString()).model, `${MODEL}@${version}`);
    assert.equal(sent([...serve]), before + 1);
  }
});

test('equal requests at once are answered by one call of a server, and later ones from the cache', async () => {
  const asked = hello({ temperature: 0 }, 'asked by many');
  const before = sent();
  for (const { state } of servers) state.addFault({ prompt: 'asked by many', first_token_ms: 500 });
  const replies = await Promise.all(Array.from({ length: 5 }, () => ok(gateway.key, asked)));
  assert.equal(sent(), before + 1);
  const from = replies.map(({ headers }) => headers['x-cache']).sort();
  assert.deepEqual(from, ['miss', 'shared', 'shared', 'shared', 'shared']);

  await until(async () => (await ok(gateway.key, asked)).headers['x-cache'] === 'hit', 'the kept answer');
  const { headers, body } = await ok(gateway.key, asked);
  assert.match(String(headers.age), /^\d+$/);
  assert.deepEqual(JSON.parse(body.toString()).choices, JSON.parse(String(replies[0]?.body)).choices);
  for (const { state } of servers) state.clearFaults();
  const { key: anothers } = await gateway.createKey({ tenant: 'frank', name: 'k' });
  assert.equal((await ok(anothers, asked)).headers['x-cache'], 'miss');
});

test('an image by address is fetched from the listed host, and from no other', async () => {
  await ok(gateway.key, withImage(`${images.url}/cat.png`, 'A cat?'));
  const url = `data:image/png;base64,${png(10, 10).toString('base64')}`;
  assert.ok(servers.some(({ state }) => String(state.last?.body).includes(url)));
  const { port } = new URL(images.url);
  for (const other of [
    `http://localhost:${port}/cat.png`,
    'http://169.254.169.254/latest',
    'file:///etc/passwd',
  ]) {
    assertRefused(await ask(gateway.key, withImage(other)), 'remote_media_refused');
  }
  assert.equal(images.requests.length, 1);
});
