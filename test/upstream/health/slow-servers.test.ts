import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSlow, RecentLatencies } from '../../../src/upstream/health/latencies.ts';
import { ServerHealth } from '../../../src/upstream/health/server-health.ts';
import { ejectSlowServer } from '../../../src/upstream/health/slow-servers.ts';

const NOW = 1_000_000;

/** A server that takes so long to its first byte. */
function taking(ms: number, count = 30, model = 'm') {
  const server = new ServerHealth();
  server.probed('ok', NOW);
  for (let calls = 0; calls < count; calls += 1) server.succeeded(server.began(NOW), NOW, model, ms);
  return server;
}

test('a server that answers in more than four times the time of its peers is ejected, and only the slowest', () => {
  const servers = [taking(200), taking(210), taking(1_500), taking(3_000)];
  ejectSlowServer({ model: 'm', servers }, NOW);
  assert.deepEqual(
    servers.map((server) => server.state(NOW)),
    ['up', 'up', 'up', 'ejected'],
  );
  assert.equal(servers[3]?.ejections.slow, 1);
});

test('fast servers are never slow, and a few answers prove nothing', () => {
  const summary = (medianMs: number, count = 20) => ({ medianMs, count });
  assert.equal(isSlow(summary(501), [summary(125)]), true);
  assert.equal(isSlow(summary(500), [summary(1)]), false);
  assert.equal(isSlow(summary(800), [summary(200)]), false);
  assert.equal(isSlow(summary(5_000, 19), [summary(200)]), false);
  assert.equal(isSlow(summary(5_000), [summary(200, 19)]), false);
  assert.equal(isSlow(summary(5_000), []), false);
});

test('a median stands against a few long prompts, and answers older than half a minute are forgotten', () => {
  const latencies = new RecentLatencies();
  for (let calls = 0; calls < 40; calls += 1) latencies.add(calls % 4 === 0 ? 60_000 : 100, calls);
  assert.deepEqual(latencies.summary(40), { count: 40, medianMs: 100 });
  assert.equal(latencies.summary(30_020).count, 20);
  assert.equal(latencies.summary(60_000).count, 0);
  for (let calls = 0; calls < 1_000; calls += 1) latencies.add(7, calls);
  assert.deepEqual(latencies.summary(1_000), { count: 64, medianMs: 7 });
});

test('at least half of a pool is left, whatever its times', () => {
  const out = taking(100);
  out.ejectAsSlow(NOW);
  const servers = [out, taking(200), taking(9_000)];
  ejectSlowServer({ model: 'm', servers }, NOW);
  assert.equal(servers[2]?.state(NOW), 'up');
});

test('times of one model are not compared with those of another', () => {
  const servers = [taking(100), taking(9_000, 30, 'large')];
  ejectSlowServer({ model: 'm', servers }, NOW);
  ejectSlowServer({ model: 'large', servers }, NOW);
  assert.equal(servers[1]?.state(NOW), 'up');
});
