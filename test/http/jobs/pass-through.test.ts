/** Calls of a pass-through route as jobs, run by a real worker. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { startUpstream, type TestUpstream } from '../../support/upstream.ts';
import { assertRefused, bearer, send } from '../client.ts';
import { ask, read } from './player.ts';
import { startWorker, type TestWorker } from './worker-process.ts';

let redis: TestRedis;
let plain: TestUpstream;
let gateway: TestGateway;
let worker: TestWorker;
const arrivedAtMs: number[] = [];

before(async () => {
  redis = await startRedis();
  plain = await startUpstream((request, response, body) => {
    arrivedAtMs.push(performance.now());
    const isFault = request.url?.includes('fault') ?? false;
    response.writeHead(isFault ? 422 : 200, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(`<${body}>`);
  });
  const config = {
    upstreams: [{ name: 'plain', url: plain.url }],
    routes: [{ path: '/predict', upstream: 'plain', upstream_path: '/inner', methods: ['POST' as const] }],
  };
  [gateway, worker] = await Promise.all([startGateway({ redis, config }), startWorker(redis, config)]);
});
after(async () => {
  await Promise.all([gateway.stop(), worker.stop()]);
  await plain.stop();
  await redis.stop();
});

function predict(key: string, body: string, query = '') {
  const headers = { ...bearer(key), prefer: 'respond-async', 'content-type': 'text/csv' };
  return send(gateway.url, `/predict${query}`, { headers, body });
}

async function ended(key: string, id: string) {
  const job = read(await ask(gateway, `/${id}`, { key, prefer: 'wait=30' }));
  return { job, result: await ask(gateway, `/${id}/result`, { key }) };
}

test('the server gets body, query and type as they came, and not the key; the result is its answer', async () => {
  const accepted = await predict(gateway.key, '1;2;\u00e9', '?deep=1');
  assert.equal(accepted.status, 202, accepted.body.toString());
  const { job, result } = await ended(gateway.key, String(read(accepted).id));
  assert.equal(job.status, 'completed');
  assert.equal(result.status, 200);
  assert.match(String(result.headers['content-type']), /^text\/plain/);
  assert.equal(result.body.toString(), '<1;2;\u00e9>');
  const seen = plain.requests.at(-1);
  assert.deepEqual([seen?.method, seen?.path, seen?.body], ['POST', '/inner?deep=1', '1;2;\u00e9']);
  assert.equal(seen?.headers['content-type'], 'text/csv');
  assert.ok(!JSON.stringify(seen?.rawHeaders).includes(gateway.key));
});

test('what the server refuses is the result of the job, and is not asked for again', async () => {
  const before = plain.requests.length;
  const { job, result } = await ended(
    gateway.key,
    String(read(await predict(gateway.key, 'x', '?fault')).id),
  );
  assert.equal(job.attempts, 1);
  assert.deepEqual([job.status, result.status, result.body.toString()], ['completed', 422, '<x>']);
  assert.equal(plain.requests.length, before + 1);
});

test('the rate of its key holds for jobs too: the second waits until it may', async () => {
  const limits = { requests_per_minute: 60, burst_requests: 1 };
  const { key } = await gateway.createKey({ tenant: 'paced', limits });
  const before = arrivedAtMs.length;
  const posts = await Promise.all([predict(key, '1'), predict(key, '2')]);
  const ids = posts.map((post) => String(read(post).id));
  const ends = await Promise.all(ids.map((id) => ended(key, id)));
  assert.deepEqual(
    ends.map(({ job }) => job.status),
    ['completed', 'completed'],
  );
  const [first = 0, second = 0] = arrivedAtMs.slice(before);
  assert.ok(second - first > 900, `${second - first} ms between them`);
});

test('a quota is taken at the door: beyond it nothing is taken in', async () => {
  const quotas = [{ period: 'total', requests: 1 }];
  const { key } = await gateway.createKey({ tenant: 'counted', quotas });
  const accepted = await predict(key, '1');
  assert.equal(accepted.status, 202);
  assertRefused(await predict(key, '2'), 'insufficient_quota');
  assert.equal((await ended(key, String(read(accepted).id))).job.status, 'completed');
});
