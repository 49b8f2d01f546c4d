/** Taking a GPU server out: by any replica, for all of them, whatever Redis does meanwhile. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fastify from 'fastify';
import { answerFaults } from '../../src/admin/answers.ts';
import { reportOf, upstreamRoutes } from '../../src/admin/upstreams.ts';
import { compileZod } from '../../src/admin/validation.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { Drains } from '../../src/upstream/health/drains.ts';
import { usable } from '../../src/upstream/health/usable.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { openGround, until } from '../admission/ground.ts';
import { asRoot } from './as-root.ts';

const NAMES = ['gpu-1', 'gpu/2'];

/** Replicas on one Redis, each with the routes and its own view of the same servers. */
async function open(t: TestContext) {
  const { redis, connect } = await openGround(t);
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('info', {}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const trust = { holds: true };

  const start = async () => {
    const upstreams = new Map(NAMES.map((name) => [name, wellUpstream(name)]));
    const connection = await connect();
    const isTrusted = () => trust.holds;
    const drains = new Drains({ redis: connection, upstreams: () => upstreams, isTrusted, log });
    drains.start();
    const app = fastify({ routerOptions: { maxParamLength: 400 } });
    app.setValidatorCompiler(compileZod);
    app.setErrorHandler(answerFaults(log));
    const reports = () => [...upstreams.values()].map((one) => reportOf(one, ['m'], performance.now()));
    const { journal } = asRoot(app, log);
    upstreamRoutes(app, { upstreams: reports, drains, journal });
    t.after(async () => {
      drains.stop();
      await app.close();
    });
    const post = async (name: string, command: 'drain' | 'resume') => {
      const answer = await app.inject({
        method: 'POST',
        url: `/v1/upstreams/${encodeURIComponent(name)}/${command}`,
      });
      return { status: answer.statusCode, body: answer.json() };
    };
    const stateOf = (name: string) => upstreams.get(name)?.serverHealth.state(performance.now());
    const members = () => [...upstreams.values()].map((upstream) => ({ upstream }));
    return { app, connection, drains, members, post, stateOf, upstreams };
  };
  return { redis, start, lines, trust };
}

function wellUpstream(name: string): Upstream {
  const upstream = new Upstream({ name, url: 'http://10.0.0.1', apiKey: 'k', discover: false, gpus: 1 });
  upstream.serverHealth.probed('ok', performance.now());
  return upstream;
}

test('a server that one replica drains gets no new calls from any, also not from those that start later', async (t) => {
  const { start, lines } = await open(t);
  const [first, second] = [await start(), await start()];
  const { status, body } = await first.post('gpu/2', 'drain');
  assert.deepEqual([status, body.state, body.reach], [200, 'draining', 'all_replicas']);
  const heardMs = await until(() => second.stateOf('gpu/2') === 'draining');
  t.diagnostic(`heard by another replica after ${heardMs.toFixed(0)} ms`);
  assert.deepEqual(
    usable(second.members(), performance.now()).map(({ upstream }) => upstream.name),
    ['gpu-1'],
  );
  const third = await start();
  await until(() => third.stateOf('gpu/2') === 'draining');

  assert.equal((await second.post('gpu/2', 'resume')).body.state, 'up');
  await until(() => [first, third].every((one) => one.stateOf('gpu/2') === 'up'));
  const written = lines
    .filter(({ actor }) => actor === 'root')
    .map(({ action, upstream }) => [action, upstream]);
  assert.deepEqual(written, [
    ['upstream.drain', 'gpu/2'],
    ['upstream.resume', 'gpu/2'],
  ]);
});

test('a server that the configuration does not name cannot be drained', async (t) => {
  const { start, redis } = await open(t);
  const { post, connection } = await start();
  for (const name of ['nobody', 'x'.repeat(128), 'a b', '__proto__']) {
    assert.equal((await post(name, 'drain')).status, 404, name);
  }
  const kept = await connection.ask((client) => client.hgetall(connection.keys.drains()));
  assert.deepEqual(kept, { ok: true, value: {} }, redis.url);
});

test('while Redis is away a drain holds on its own replica, and reaches the others when Redis is back', async (t) => {
  const { redis, start } = await open(t);
  const [first, second] = [await start(), await start()];
  redis.pause();
  const { status, body } = await first.post('gpu-1', 'drain');
  assert.deepEqual([status, body.state, body.reach], [200, 'draining', 'this_replica']);
  assert.equal(second.stateOf('gpu-1'), 'up');
  redis.resume();
  await until(() => second.stateOf('gpu-1') === 'draining', 10_000);
  assert.equal(first.stateOf('gpu-1'), 'draining');
});

test('a lost message is made good within seconds', async (t) => {
  const { start } = await open(t);
  const [other, { connection, stateOf }] = [await start(), await start()];
  await other.post('gpu/2', 'drain');
  await until(() => stateOf('gpu/2') === 'draining');
  await other.post('gpu/2', 'resume');
  await until(() => stateOf('gpu/2') === 'up');
  await connection.ask((client) => client.hset(connection.keys.drains(), 'gpu-1', 1));
  const heardMs = await until(() => stateOf('gpu-1') === 'draining', 15_000);
  t.diagnostic(`heard after ${heardMs.toFixed(0)} ms`);
});

test('who was drained stays so while the data in Redis are in doubt', async (t) => {
  const { start, trust } = await open(t);
  const { connection, post, stateOf, drains } = await start();
  await post('gpu-1', 'drain');
  trust.holds = false;
  await connection.ask((client) => client.flushall());
  await drains.set('gpu/2', true);
  assert.equal(stateOf('gpu-1'), 'draining');
  trust.holds = true;
  await drains.set('gpu/2', false);
  assert.equal(stateOf('gpu-1'), 'up');
});

test('a server that a new configuration brings is drained before it is taken in, where it was', async (t) => {
  const { start } = await open(t);
  const { post, drains } = await start();
  await post('gpu-1', 'drain');
  const next = wellUpstream('gpu-1');
  drains.applyTo(next);
  assert.equal(next.serverHealth.state(performance.now()), 'draining');
});

test('the list tells of each server what its calls and probes have shown, and never its key', async (t) => {
  const { start } = await open(t);
  const { app, upstreams } = await start();
  const health = upstreams.get('gpu-1')?.serverHealth;
  const nowMs = performance.now();
  for (let times = 0; times < 5; times += 1) health?.failed(health.began(nowMs), 'timeout', nowMs);
  const answer = await app.inject({ url: '/v1/upstreams' });
  const [first] = answer.json().data;
  assert.deepEqual(first, {
    ...{ name: 'gpu-1', url: 'http://10.0.0.1', status: 'healthy', state: 'ejected', weight_factor: 1 },
    ...{ in_flight: 0, last_failure: { kind: 'timeout', seconds_ago: 0 }, models: ['m'] },
    ejections: { errors: 1, slow: 0, unhealthy: 0, unreachable: 0, frozen: 0 },
    ...{ max_in_flight: null, capacity: null, reported_load: null, labels: {} },
  });
});
