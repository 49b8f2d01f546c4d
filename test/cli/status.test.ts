/** `sluice status` ends with 3 exactly when something is wrong, and says what, from all processes that it is given. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { createProbeApp } from '../../src/admin/probe-app.ts';
import type { Readiness, WorkerReadiness } from '../../src/admin/probes.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { freePort } from '../support/redis.ts';
import { sluiceHere } from './pipes.ts';
import { sluice } from './run.ts';

const DAY_SECONDS = 86_400;
const well: Readiness = {
  ready: true,
  detail: { gateway: 'ok', redis: 'ok', queue: 'ok', upstreams: { 'gpu-1': 'healthy', 'gpu-2': 'healthy' } },
};
const wellWorker: WorkerReadiness = {
  ready: true,
  detail: { worker: 'ok', redis: 'ok', queue: 'ok', running: 2, upstreams: {} },
};
const text = (...lines: string[]) => lines.map((line) => `${line}\n`).join('');
const metricsOfGateway = [
  'sluice_build_info{version="1.2.3",role="gateway"} 1',
  `process_start_time_seconds ${Date.now() / 1_000 - 3 * 3_600}`,
  'process_resident_memory_bytes 2.04e+08',
  'sluice_requests_in_flight 7',
  'sluice_replicas 1',
  'sluice_installation_lost 0',
  'sluice_upstream_state{upstream="gpu-1",state="up"} 1',
  'sluice_upstream_in_flight{upstream="gpu-1"} 5',
  'sluice_upstream_places{upstream="gpu-1"} 8',
  'sluice_upstream_reported_requests{upstream="gpu-1",state="running"} 9',
];
const metricsOfWorker = [
  'sluice_build_info{version="1.2.3",role="worker"} 1',
  // A worker counts itself.
  'sluice_replicas 2',
  'sluice_jobs_drained 0',
  'sluice_jobs_waiting{line="small"} 3',
  'sluice_jobs_oldest_seconds{line="small"} 40',
  'sluice_jobs_handed{line="small"} 2',
];

let readiness: Readiness = well;
let gatewayLines: string[] = [];
let workerLines: string[] = [];
let gateway: { url: string; app: FastifyInstance };
let worker: { url: string; app: FastifyInstance };
let folder: string;

async function listen(state: () => Readiness | WorkerReadiness, lines: () => readonly string[]) {
  const app = createProbeApp(
    { readiness: state, metrics: async () => ({ contentType: 'text/plain', text: text(...lines()) }) },
    createLogger('fatal', {}, { write: () => {} }),
  );
  return { app, url: await app.listen({ host: '127.0.0.1', port: 0 }) };
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-status-'));
  gateway = await listen(
    () => readiness,
    () => [...metricsOfGateway, ...gatewayLines],
  );
  worker = await listen(
    () => wellWorker,
    () => [...metricsOfWorker, ...workerLines],
  );
});
after(async () => {
  await Promise.all([gateway.app.close(), worker.app.close()]);
  await rm(folder, { recursive: true });
});

/** Without a token: nothing of it needs one. */
function status(...parameters: string[]) {
  const env = { SLUICE_HOME: folder };
  return sluiceHere(['status', '--at', gateway.url, '--at', worker.url, ...parameters], env);
}

interface Ill {
  readonly ready?: Partial<Readiness['detail']>;
  readonly gateway?: string;
  readonly worker?: string;
}

async function asIll({ ready = {}, gateway: line, worker: lineOfWorker }: Ill, run = status) {
  readiness = { ready: true, detail: { ...well.detail, ...ready } };
  gatewayLines = line === undefined ? [] : [line];
  workerLines = lineOfWorker === undefined ? [] : [lineOfWorker];
  try {
    return await run();
  } finally {
    [readiness, gatewayLines, workerLines] = [well, [], []];
  }
}

test('where all is well it ends with 0, and one screen says how everything is', async () => {
  const { exitCode, stdout, stderr } = await status();
  assert.deepEqual([exitCode, stderr], [0, '']);
  assert.match(stdout, /^gateway +ok +1\.2\.3 +3 h +204 MB +7 +http/m);
  assert.match(stdout, /^worker +ok +1\.2\.3 /m);
  assert.match(stdout, /^redis +ok$/m);
  assert.match(stdout, /^gateways alive +1$/m);
  assert.match(stdout, /^jobs +3 waiting, the oldest for 40 s, 2 in hand$/m);
  assert.match(stdout, /^gpu-1 +up +5\/8 +9 +-$/m);
  assert.match(stdout, /^Nothing is wrong\.$/m);
  assert.ok(stdout.split('\n').every((line) => line.length <= 80));
});

const wrong: readonly [string, Ill, RegExp][] = [
  ['a gateway that drains', { ready: { gateway: 'draining' } }, /the gateway at http\S+ is draining/],
  ['Redis degraded', { ready: { redis: 'degraded' } }, /Redis is degraded for http\S+\. See REDIS_URL/],
  ['the Redis of jobs', { ready: { queue: 'degraded' } }, /the Redis of jobs is degraded/],
  [
    'a GPU server that cannot serve',
    { ready: { upstreams: { 'gpu-1': 'healthy', 'gpu-2': 'unreachable' } } },
    /1 of 2 upstreams cannot serve: gpu-2 is down/,
  ],
  [
    'a GPU server that one replica has ejected',
    { gateway: 'sluice_upstream_state{upstream="gpu-2",state="ejected"} 1' },
    /gpu-2 is ejected/,
  ],
  [
    'a model without a server',
    { gateway: 'sluice_pool_servers_usable{model="large",version="v2"} 0' },
    /no server of the model large@v2/,
  ],
  ['lost data', { worker: 'sluice_installation_lost 1' }, /not those .* sluice installation accept/],
  [
    'a faulty configuration',
    { gateway: 'sluice_config_last_reload_successful 0' },
    /configuration has faults\. Run sluice config check/,
  ],
  [
    'a certificate that ends soon',
    {
      gateway: `sluice_tls_certificate_expires_timestamp_seconds ${Date.now() / 1_000 + 5.5 * DAY_SECONDS}`,
    },
    /the certificate ends in 5 days\. Renew it/,
  ],
  [
    'a certificate that has ended',
    { gateway: `sluice_tls_certificate_expires_timestamp_seconds ${Date.now() / 1_000 - 60}` },
    /the certificate has run out/,
  ],
  [
    'jobs that wait too long',
    { worker: 'sluice_jobs_oldest_seconds{line="large"} 1200' },
    /a job has waited for 1200 s\. Do workers run/,
  ],
  ['webhooks', { worker: 'sluice_webhook_overdue_seconds 300' }, /webhooks have waited for 300 s/],
];
for (const [name, ill, message] of wrong) {
  test(`wrong: ${name}`, async () => {
    const { exitCode, stdout, stderr } = await asIll(ill);
    assert.equal(exitCode, 3);
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    assert.doesNotMatch(stdout, /Nothing is wrong/);
  });
}

test('worth knowing and not wrong: what operators did, and gateways that were not asked', async () => {
  const drained: Ill = {
    gateway: 'sluice_upstream_state{upstream="gpu-2",state="draining"} 1',
    worker: 'sluice_webhook_dead_events 4',
  };
  const { exitCode, stderr } = await asIll(drained);
  assert.equal(exitCode, 0);
  assert.match(stderr, /^note: upstream gpu-2 is drained; sluice upstreams resume gpu-2/m);
  assert.match(stderr, /^note: 4 events of webhooks were given up/m);
  const others = await asIll({}, () => sluiceHere(['status', '--at', worker.url], { SLUICE_HOME: folder }));
  assert.equal(others.exitCode, 0);
  metricsOfGateway[4] = 'sluice_replicas 3';
  assert.match((await status()).stderr, /^note: 1 of 3 gateways that live was asked; --at names more\.$/m);
  metricsOfGateway[4] = 'sluice_replicas 1';
});

test('a process that is gone is wrong, and the others are shown all the same', async () => {
  const away = `http://127.0.0.1:${await freePort()}`;
  const { exitCode, stdout, stderr } = await status('--at', away);
  assert.equal(exitCode, 3);
  assert.match(stderr, new RegExp(`^wrong: ${away} cannot be reached \\(ECONNREFUSED\\)`, 'm'));
  assert.match(stdout, /^gateway +ok/m);
});

test('JSON says all of it, and the exit code is the same', async () => {
  const { exitCode, stdout, stderr } = await asIll({ ready: { redis: 'degraded' } }, () => status('--json'));
  assert.deepEqual([exitCode, stderr], [3, '']);
  const { status: state, problems, redis, queue_redis, processes, queue } = JSON.parse(stdout);
  assert.deepEqual([state, problems.length, redis, queue_redis], ['wrong', 1, 'degraded', 'ok']);
  assert.equal(processes[0].memory_bytes, 204_000_000);
  assert.deepEqual(queue, { waiting: 3, handed: 2, oldest_seconds: 40, drained: false });
});

test('all that npm start runs here is asked without being named', async () => {
  const left = { url: gateway.url, token: 'of-the-first', others: [worker.url] };
  const home = join(folder, 'home');
  await mkdir(home);
  await writeFile(join(home, 'admin.json'), JSON.stringify(left));
  const { exitCode, stdout } = await sluice(['status', '--json'], { env: { SLUICE_HOME: home } });
  assert.equal(exitCode, 0);
  const urls = JSON.parse(stdout).processes.map(({ url }: { url: string }) => url);
  assert.deepEqual(urls, [gateway.url, worker.url]);
});

test('what is no address ends with 2', async () => {
  const { exitCode, stderr } = await status('--at', 'http://user:secret@host/');
  assert.equal(exitCode, 2);
  assert.match(stderr, /--at takes the address of an admin listener/);
});
