import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { reportOf } from '../../src/admin/upstreams.ts';
import type { Reach } from '../../src/upstream/health/drains.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluice } from './run.ts';

const upstream = new Upstream({
  ...{ name: 'gpu/1', url: 'http://10.0.0.1:8000', apiKey: undefined, discover: false, gpus: 1 },
});
let reach: Reach = 'all_replicas';
let admin: AdminFixture;

before(async () => {
  const nowMs = performance.now();
  const { serverHealth } = upstream;
  serverHealth.probed('ok', nowMs);
  for (const kind of ['status', 'status', 'status', 'reset', 'reset'] as const) {
    serverHealth.failed(serverHealth.began(nowMs), kind, nowMs);
  }
  upstream.reported = { running: 12, waiting: 3, ownInFlight: 0, readAtMs: nowMs };
  admin = await startAdmin({
    upstreams: () => [reportOf(upstream, ['m'], performance.now())],
    drains: {
      async set(name, isDrained) {
        if (name !== upstream.name) return undefined;
        serverHealth.setDraining(isDrained, performance.now());
        return reach;
      },
    },
  });
});
after(() => admin.stop());

function run(...parameters: string[]) {
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  return sluice(['upstreams', ...parameters], { env });
}

test('a server is drained and resumed by name, and the list shows its state and its past', async () => {
  const drained = await run('drain', 'gpu/1');
  assert.deepEqual([drained.exitCode, drained.stderr], [0, '']);
  assert.match(drained.stdout, /^Upstream gpu\/1 gets no new calls; 0 calls run there/);
  const { stdout } = await run('list');
  assert.match(stdout, /^UPSTREAM +STATE +IN FLIGHT +REPORTED +EJECTIONS +LAST FAILURE +URL +MODELS$/m);
  assert.match(
    stdout,
    /^gpu\/1 +draining +0 +12 running, 3 waiting +1 \(errors 1\) +reset, \d+ s ago +http:\/\/10\.0\.0\.1:8000 +m$/m,
  );
  const resumed = await run('resume', 'gpu/1', '--json');
  assert.equal(JSON.parse(resumed.stdout).reach, 'all_replicas');
});

test('that a word could not be passed on is said, and is no failure', async () => {
  reach = 'this_replica';
  const { exitCode, stderr } = await run('resume', 'gpu/1');
  assert.equal(exitCode, 0);
  assert.match(stderr, /^Redis did not answer: this holds for this gateway alone/);
});

test('a name that is none ends with 1, and no name with 2', async () => {
  const unknown = await run('drain', 'gpu/2');
  assert.equal(unknown.exitCode, 1);
  assert.match(unknown.stderr, /no upstream of this name/);
  assert.equal((await run('drain')).exitCode, 2);
});
