/** How a replica learns of the load of GPU servers, whatever they and Redis do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadTable } from '../../../src/redis/load-table.ts';
import { remembered } from '../../../src/upstream/choice/load-of.ts';
import type { Upstream } from '../../../src/upstream/upstream.ts';
import { openGround, until } from '../../admission/ground.ts';
import { replica, serving, simulated, upstreamAt } from './ground.ts';

test('a server is asked by one replica, and what it says is known to all, each beside its own calls', async (t) => {
  const { connect } = await openGround(t);
  const { url, state } = await simulated(t);
  const seen = [upstreamAt(t, 'a', url), upstreamAt(t, 'a', url), upstreamAt(t, 'a', url)];
  for (const [index, upstream] of seen.entries()) {
    for (let calls = 0; calls < index; calls += 1) upstream.load.begin(performance.now());
    replica(t, await connect(), [upstream]);
  }
  await until(() => seen.every(({ reported }) => reported), 6_000);
  assert.deepEqual(
    seen.map(({ reported }) => [reported?.running, reported?.waiting, reported?.ownInFlight]),
    [
      [0, 0, 0],
      [0, 0, 1],
      [0, 0, 2],
    ],
  );
  const [first] = seen.map(({ reported }) => reported?.readAtMs ?? 0);
  const apartMs = Math.max(...seen.map(({ reported }) => Math.abs((reported?.readAtMs ?? 0) - (first ?? 0))));
  t.diagnostic(`asked ${state.counts.metrics_read} times, reports ${apartMs.toFixed(1)} ms apart`);
});

test('a replica that dies while it asks is replaced within two intervals', async (t) => {
  const { connect } = await openGround(t);
  const { url, state } = await simulated(t);
  const dead = loadTable(await connect());
  assert.deepEqual((await dead.claim([{ name: 'a', claimMs: 1_000 }])).ok, true);
  const upstream = upstreamAt(t, 'a', url);
  replica(t, await connect(), [upstream]);
  const tookMs = await until(() => upstream.reported !== undefined, 6_000);
  t.diagnostic(`replaced after ${tookMs.toFixed(0)} ms`);
  assert.ok(tookMs > 500, `${tookMs} ms: the claim was respected`);
  assert.equal(state.counts.metrics_read, 1);
});

test('while Redis is away each replica asks for itself', async (t) => {
  const { redis, connect } = await openGround(t);
  const { url, state } = await simulated(t);
  const seen = [upstreamAt(t, 'a', url), upstreamAt(t, 'a', url)];
  const connections = [await connect(), await connect()];
  redis.pause();
  const pausedAtMs = performance.now();
  for (const [index, upstream] of seen.entries()) {
    const connection = connections[index];
    if (connection) replica(t, connection, [upstream]);
  }
  await until(() => seen.every(({ reported }) => reported && reported.readAtMs > pausedAtMs), 6_000);
  assert.ok(state.counts.metrics_read >= 2);
});

test('when its metrics have gone silent, a server is judged without them ten seconds later', async (t) => {
  const { connect } = await openGround(t);
  let asked = 0;
  const url = await serving(t, (_, response) => {
    asked += 1;
    if (asked === 1) response.end('vllm:num_requests_running 7\n');
    else response.writeHead(503).end();
  });
  const upstream = upstreamAt(t, 'a', url);
  replica(t, await connect(), [upstream]);
  await until(() => upstream.reported !== undefined, 6_000);
  const { reported } = upstream;
  assert.ok(reported);
  await until(() => asked >= 3, 9_000);
  assert.equal(remembered(upstream.reported, reported.readAtMs + 9_999), reported);
  assert.equal(remembered(upstream.reported, reported.readAtMs + 10_000), undefined);
});

test('without metrics, with none of ours, or with far too many bytes, a server is not asked again at once', async (t) => {
  const { connect } = await openGround(t);
  const asked: Record<string, number> = {};
  const url = await serving(t, (request, response) => {
    const { url: path = '' } = request;
    asked[path] = (asked[path] ?? 0) + 1;
    if (path === '/absent/metrics') response.writeHead(404).end('no');
    else if (path === '/off/metrics') response.writeHead(501).end('{}');
    else if (path === '/other/metrics') response.end('requests 5\n');
    else if (path === '/long/metrics')
      response.end(`${'x'.repeat(1_100_000)}\nvllm:num_requests_running 1\n`);
    else response.end('vllm:num_requests_running 1\n');
  });
  const names = ['absent', 'off', 'other', 'long', 'well'];
  const upstreams = names.map((name) => upstreamAt(t, name, `${url}/${name}`));
  replica(t, await connect(), upstreams);
  await until(() => (asked['/well/metrics'] ?? 0) >= 3, 9_000);
  assert.deepEqual(
    names.slice(0, 4).map((name) => asked[`/${name}/metrics`]),
    [1, 1, 1, 1],
  );
  assert.deepEqual(
    upstreams.map(({ reported }) => reported?.running),
    [undefined, undefined, undefined, undefined, 1],
  );
});

test('one that does not answer is asked one question at a time, with its key, and no other waits for it', async (t) => {
  const grounds = [await openGround(t), await openGround(t)];
  const open = new Map<string, { now: number; most: number; ever: number }>();
  let authorization: string | undefined;
  const url = await serving(t, (request, response) => {
    const { url: path = '' } = request;
    if (path.startsWith('/well')) return void response.end('vllm:num_requests_running 1\n');
    authorization = request.headers.authorization;
    const count = open.get(path) ?? { now: 0, most: 0, ever: 0 };
    open.set(path, count);
    count.now += 1;
    count.ever += 1;
    count.most = Math.max(count.most, count.now);
    response.once('close', () => {
      count.now -= 1;
    });
  });
  const seen: Upstream[] = [];
  for (const [index, { connect, redis }] of grounds.entries()) {
    const [silent, well] = [
      upstreamAt(t, 'silent', `${url}/silent${index}`),
      upstreamAt(t, 'well', `${url}/well`),
    ];
    const healthCheck = { ...silent.settings.healthCheck, timeoutMs: 2_500 };
    silent.settings = { ...silent.settings, healthCheck };
    const connection = await connect();
    if (index === 1) redis.pause();
    replica(t, connection, [silent, well]);
    seen.push(well);
  }
  await until(() => seen.every(({ reported }) => reported), 6_000);
  await until(() => open.size === 2 && [...open.values()].every(({ ever }) => ever >= 2), 15_000);
  for (const [path, { most }] of open) assert.equal(most, 1, path);
  assert.equal(authorization, 'Bearer key-of-the-server');
});

test('a server that its probes call down, or that is not to be asked, is not asked', async (t) => {
  const { connect } = await openGround(t);
  const asked = new Set<string>();
  const url = await serving(t, (request, response) => {
    asked.add(request.url ?? '');
    response.end('vllm:num_requests_running 1\n');
  });
  const [down, silent, well] = ['down', 'silent', 'well'].map((name) =>
    upstreamAt(t, name, `${url}/${name}`),
  );
  assert.ok(down && silent && well);
  for (const _ of [1, 2]) down.serverHealth.probed('refused', performance.now());
  silent.settings = { ...silent.settings, loadMetricsPath: undefined };
  well.settings = { ...well.settings, loadMetricsPath: '/stats/prometheus' };
  replica(t, await connect(), [down, silent, well]);
  await until(() => well.reported !== undefined, 6_000);
  assert.deepEqual([...asked], ['/well/stats/prometheus']);
});
