/** The user of deploy/redis.acl.example may do all that a gateway does, and cannot leave its keys. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { plainKey } from '../../src/admission/keys/key-fields.ts';
import { noAccessRules } from '../../src/core/access.ts';
import { noLimits } from '../../src/core/limits.ts';
import { usualJobTerms } from '../../src/core/principal.ts';
import { noCharge } from '../../src/core/ticket.ts';
import { adminTable } from '../../src/redis/admin-table.ts';
import { answerTable } from '../../src/redis/answer-table.ts';
import { auditTable } from '../../src/redis/audit-table.ts';
import { clusterTable } from '../../src/redis/cluster-table.ts';
import type { Answer, RedisConnection } from '../../src/redis/connection.ts';
import { drainTable } from '../../src/redis/drain-table.ts';
import { emailTable } from '../../src/redis/email-table.ts';
import { jobListing } from '../../src/redis/job-listing.ts';
import { jobTable } from '../../src/redis/job-table.ts';
import { jobUpkeep } from '../../src/redis/job-upkeep.ts';
import type { StoredKey } from '../../src/redis/key-records.ts';
import { keyTable } from '../../src/redis/key-table.ts';
import { keyUseTable } from '../../src/redis/key-use-table.ts';
import { learnedTable } from '../../src/redis/learned-table.ts';
import { loadTable } from '../../src/redis/load-table.ts';
import { nonceTable } from '../../src/redis/nonce-table.ts';
import { onceTable } from '../../src/redis/once-table.ts';
import { sweepTable } from '../../src/redis/sweep-table.ts';
import { ticketTable } from '../../src/redis/ticket-table.ts';
import { usageTable } from '../../src/redis/usage-table.ts';
import { webhookTable } from '../../src/redis/webhook-table.ts';
import { createSimulator } from '../../src/simulator/server.ts';
import { startWorkerProcess } from '../cluster/jobs/support/worker-process.ts';
import { startGateway } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { connected, redisConfig, runTicket } from './ground.ts';
import { asEstimated, completed, jobOf, bounds as noBounds } from './jobs/ground.ts';

const PASSWORD = 'for-this-test';
const SECRET = 'a-secret-of-gateway-and-worker-0123456789';
const NOW = '2026-11-21T00:00:00.000Z';
const example = new URL('../../deploy/redis.acl.example', import.meta.url);

let folder: string;
let redis: TestRedis;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-acl-'));
  const file = join(folder, 'sluice.acl');
  const digest = createHash('sha256').update(PASSWORD).digest('hex');
  await writeFile(file, (await readFile(example, 'utf8')).replace(/#0{64}/, `#${digest}`));
  redis = await startRedis({ extra: ['--include', file] });
});

after(async () => {
  await redis.stop();
  await rm(folder, { recursive: true });
});

test('every question of a gateway is allowed', async (t) => {
  const connection = await connected(t, redisConfig(redis.url.replace('//', `//sluice:${PASSWORD}@`)));
  const heard = Promise.withResolvers<string>();
  const listening = Promise.withResolvers<void>();
  const subscription = connection.subscribe(connection.keys.invalidations(), {
    subscribed: listening.resolve,
    received: heard.resolve,
  });
  t.after(() => subscription.close());
  await listening.promise;

  const allow = { limits: noLimits, quotas: [], models: null, policy: null } as const;
  const tenant = {
    ...({ name: 'acme', status: 'active', priority: 'normal' } as const),
    ...{ answer_metadata: false, show_attempts: false, ...usualJobTerms },
    ...{ ...noAccessRules, require_jwt: false, email: null },
    ...{ created_at: NOW, revision: 1 },
    ...allow,
  } as const;
  const record: StoredKey = {
    ...{ id: 'key_1', tenant: 'acme', name: 'web', status: 'active', origin: 'generated', ...allow },
    ...plainKey,
    ...{ oversize_rule: null, created_at: NOW, expires_at: null, rotated_at: null, revision: 1, secrets: [] },
  };
  const pointer = { tenant: 'acme', key: 'key_1' };
  const keys = keyTable(connection);
  await allowed(keys.claimSecret('digest', pointer));
  await allowed(keys.index(pointer, 1));
  await allowed(keys.createTenant({ ...tenant, name: 'other' }));
  await allowed(keys.createKey(record, tenant, 1, 5));
  await allowed(keys.findBySecret('digest'));
  await allowed(keys.findById('key_1'));
  await allowed(keys.findOfTenant('acme', 'key_1'));
  await allowed(keys.findTenantVersioned('acme'));
  await allowed(keys.expireSecrets(['digest'], Date.now() + 60_000));
  await allowed(nonceTable(connection).claim('acme', 'sgn_1', 'nonce', 1_000));
  const uses = keyUseTable(connection);
  await allowed(uses.note([{ tenant: 'acme', id: 'key_1', atMs: 1 }]));
  await allowed(uses.lastOf([{ tenant: 'acme', id: 'key_1' }]));
  const emails = emailTable(connection);
  await allowed(emails.claim('a@example.com', undefined, { tenant: 'acme', claimed_at_ms: 1 }));
  const claim = await emails.find('a@example.com');
  assert.ok(claim.ok && claim.value);
  await allowed(emails.drop('a@example.com', claim.value));
  await allowed(keys.pageOfKeys('acme', 10));
  await allowed(keys.pageOfKeys('acme', 10, 'key_1'));
  await allowed(keys.pageOfTenants(10));
  await allowed(keys.addForeignForm({ prefix: 'team-' }));
  await allowed(keys.foreignForms());
  assert.match(await heard.promise, /tenant/);

  assert.equal(await runTicket(connection, 'acme', 1), 'open');
  const tickets = ticketTable(connection);
  const settlement = {
    spent: { ...noCharge, requests: 1 },
    cachedTokens: 0,
    status: 200,
    route: '/',
    requestId: 'r',
    durationMs: 1,
  };
  const closing = { ticket: 'local', keyId: 'key_1', model: 'm', settlement };
  await allowed(tickets.settle('acme', { replica: 'r2', number: 1, callsKept: 10 }, [closing]));
  await allowed(tickets.renew('acme', 5_000, ['local']));
  await allowed(tickets.suspend('acme', 5_000, ['local']));
  await allowed(tickets.isThere('acme', 'local'));
  await allowed(tickets.sweep('acme', 10));
  await allowed(keys.replaceKey({ ...record, revision: 2 }));
  await allowed(keys.replaceTenant({ ...tenant, revision: 2 }));

  const usage = usageTable(connection);
  const today = new Date().toISOString();
  await allowed(usage.sums('acme', [{ span: today.slice(0, 10), keyId: 'key_1', model: 'm' }]));
  await allowed(usage.pairs('acme', today.slice(0, 7), { order: 'key', countMax: 10 }));
  await allowed(usage.usedQuotas('acme', ['tenant']));
  await allowed(usage.calls('acme', 10));

  const sweeps = sweepTable(connection);
  await allowed(sweeps.note('acme'));
  await allowed(sweeps.claim('r1', 1_000));
  await allowed(sweeps.activeTenants('0', 10));
  await allowed(sweeps.forgetSilent(1));
  const learned = learnedTable(connection);
  const many = Array.from({ length: 1_001 }, (_, index) => [`m${index}`, { answer: [1, 1] }] as const);
  await allowed(learned.write(new Map(many), ['m1']));
  await allowed(learned.read(['m1']));
  const drains = drainTable(connection);
  await allowed(drains.write('gpu', true, 1));
  await allowed(drains.write('gpu', false, 1));
  await allowed(drains.read());
  const loads = loadTable(connection);
  await allowed(loads.claim([{ name: 'gpu', claimMs: 1_000 }]));
  await allowed(loads.write('gpu', 1, { atMs: 1, running: 1, waiting: 0 }));
  await adminsAllowed(connection);
  await webhooksAllowed(connection);
  await jobsAllowed(connection);
  await allStoredAnswers(connection);
  const cluster = clusterTable(connection);
  await allowed(cluster.report('r1', { version: '0', has_share: true, in_flight: {} }, 1_000));
  await allowed(cluster.leave('r1'));
  const found = await cluster.installation();
  assert.ok(found.ok);
  await allowed(cluster.replaceInstallation(found.value, { id: 'i', doubted_by: [], accepted_from: [] }));
  assert.deepEqual(
    await denials(),
    [],
    'nothing was denied on the way, not even what ioredis asks by itself',
  );
});

async function adminsAllowed(connection: RedisConnection): Promise<void> {
  const admins = adminTable(connection);
  const ann = { id: 'adm_1', name: 'ann', role: 'viewer', status: 'active', revision: 1 } as const;
  const dates = { created_at: NOW, expires_at: null, rotated_at: null };
  await allowed(admins.write({ ...ann, ...dates, secrets: [] }));
  await allowed(admins.find('adm_1'));
  await allowed(admins.all());
  await allowed(admins.noteUse('adm_1', 1));
  await allowed(admins.lastUses());
  await allowed(admins.remove('adm_1'));
  const audit = auditTable(connection, 10);
  const actor = { actor: 'root', actor_name: 'root', role: 'owner', address: '::1' } as const;
  const done = { request_id: 'r', action: 'key.update', outcome: 'done' } as const;
  await allowed(audit.append({ at: NOW, ...actor, ...done, subject: {}, changes: {}, counts: {} }));
  await allowed(audit.read({ fromMs: undefined, toMs: undefined, before: undefined }, 10));
}

test('a job goes its whole way, and nothing on it is denied', async (t) => {
  const url = redis.url.replace('//', `//sluice:${PASSWORD}@`);
  const raw = new Redis(redis.port);
  t.after(() => raw.disconnect());
  await raw.call('ACL', 'LOG', 'RESET');
  const simulator = createSimulator({ models: ['m'] });
  const gpu = await simulator.listen('127.0.0.1', 0);
  t.after(() => simulator.close());
  const config = { upstreams: [{ name: 'gpu', url: gpu.url }], models: [{ name: 'm', upstreams: ['gpu'] }] };
  const gateway = await startGateway({ redis: { ...redis, url }, config, env: { SLUICE_SECRET: SECRET } });
  t.after(() => gateway.stop());
  const configFile = join(folder, 'sluice.yaml');
  await writeFile(configFile, JSON.stringify(config));
  const env = { REDIS_URL: url, SLUICE_SECRET: SECRET, SLUICE_CONFIG: configFile };
  const worker = await startWorkerProcess('worker', join(folder, 'worker.log'), env);
  t.after(() => worker.kill());
  for (const stream of [false, true]) {
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${gateway.key}`,
        'content-type': 'application/json',
        prefer: 'wait=30',
      },
      body: JSON.stringify({
        model: 'm',
        stream,
        messages: [{ role: 'user', content: 'x '.repeat(50_000) }],
      }),
    });
    await answer.text();
    assert.equal(answer.status, 200);
  }
  assert.deepEqual(await raw.call('ACL', 'LOG'), []);
});

test('what is not a gateway’s own is denied', async (t) => {
  const connection = await connected(t, redisConfig(redis.url.replace('//', `//sluice:${PASSWORD}@`)));
  const foreign = await connection.ask((client) => client.get('another:1:key'));
  assert.ok(!foreign.ok && /NOPERM/.test(foreign.failure.cause));
  const flush = await connection.ask((client) => client.flushall());
  assert.ok(!flush.ok && /NOPERM/.test(flush.failure.cause));
});

async function jobsAllowed(connection: RedisConnection): Promise<void> {
  const jobs = jobTable(connection);
  const inTime = Date.now() + 10_000;
  const once = { digest: 'd', bodyDigest: 'b', keptMs: 1_000 };
  await allowed(jobs.clock());
  for (const id of ['job_1', 'job_2']) await allowed(jobs.accept(jobOf(id), noBounds, inTime));
  await allowed(jobs.accept(jobOf('job_3', { once }), noBounds, inTime));
  await allowed(jobs.park('llama', 'acme', 0));
  await allowed(jobs.pick('llama', 2));
  await allowed(jobs.start('job_1', 'run', 3));
  const answer = { packed: { chunk: Buffer.from('x'), about: '{}' }, lifetimeMs: 1_000 };
  await allowed(jobs.finish('job_1', 1, { ...completed, answer }, asEstimated));
  await allowed(jobs.finish('job_1', 1, completed, asEstimated));
  await allowed(jobs.putBack('job_2', 0));
  await allowed(jobs.place('job_2'));
  await allowed(jobs.survey('llama'));
  await allowed(jobs.overdue('llama', 1, 10));
  await allowed(jobs.cancel('job_2', 'acme', 'caller'));
  await allowed(jobs.forget('job_3', undefined));
  await allowed(jobs.find('job_1'));
  await allowed(jobs.list('acme', 0, 10));
  await allowed(jobs.lines());
  await allowed(jobs.totals());
  await allowed(jobs.sweep(10));
  await allowed(jobListing(connection).page({}, 10));
  const upkeep = jobUpkeep(connection);
  await allowed(upkeep.read(['llama']));
  await allowed(upkeep.claimSweep(1_000));
  const unrun = await upkeep.unrun(10);
  assert.ok(unrun.ok && unrun.value.length > 0);
  await allowed(upkeep.forgetUnrun(unrun.value));
  await allowed(upkeep.drain(1));
  await allowed(upkeep.resume());
}

async function webhooksAllowed(connection: RedisConnection): Promise<void> {
  const webhooks = webhookTable(connection, 4);
  const jobs = jobTable(connection);
  const endpoint = { tenant: 'hooked', status: 'enabled', because: null, sealed: 'x' } as const;
  await allowed(webhooks.register({ ...endpoint, revision: 0 }));
  for (const id of ['job_8', 'job_9']) {
    await allowed(jobs.accept(jobOf(id, { tenant: 'hooked' }), noBounds, Date.now() + 10_000));
    await allowed(jobs.cancel(id, 'hooked', 'caller'));
  }
  await allowed(webhooks.pick(10));
  const failure = { status: 500, cause: 'status' };
  await allowed(webhooks.end({ event: 'evt_8', number: 1 }, { outcome: 'dead', ...failure }));
  const retry = { outcome: 'retry', pauseMs: 1, holds: true, ...failure } as const;
  await allowed(webhooks.end({ event: 'evt_9', number: 1 }, retry));
  await allowed(webhooks.replay(['evt_8', 'evt_9']));
  await allowed(webhooks.findEndpoint('hooked'));
  await allowed(webhooks.findEvent('evt_8'));
  await allowed(webhooks.counts('hooked'));
  await allowed(webhooks.dead(undefined, 0, 10));
  await allowed(webhooks.survey(0));
  await allowed(webhooks.remove('hooked'));
}

async function allStoredAnswers(connection: RedisConnection): Promise<void> {
  const answer = {
    status: 200,
    contentType: '',
    upstream: 'gpu',
    upstreamModel: 'm',
    body: Buffer.from('x'),
  };
  const answers = answerTable(connection);
  const bounds = { lifetimeMs: 1_000, tenantBytesMax: 1_000 };
  await allowed(answers.keep('acme', 'digest', answer, bounds));
  await allowed(answers.keep('acme', 'another', answer, bounds));
  await allowed(answers.read('acme', 'digest', 1_000));
  const once = onceTable(connection, { ...bounds, leaseMs: 1_000, tenantEntriesMax: 1 });
  const entry = { tenant: 'acme', id: 'once', request: 'digest', holder: 'r1' };
  await allowed(once.begin(entry));
  await allowed(once.begin({ ...entry, id: 'too many' }));
  await allowed(once.renew(entry));
  await allowed(once.finish(entry, answer));
  await allowed(once.free({ ...entry, id: 'free' }));
}

async function allowed(answer: Promise<Answer<unknown>>): Promise<void> {
  const { ok, ...rest } = await answer;
  assert.ok(ok, JSON.stringify(rest));
}

/** Commands in the log that the server keeps of what it denied. Nobody needs to know what a client calls itself. */
async function denials(): Promise<string[]> {
  const socket = connect(redis.port, '127.0.0.1');
  socket.end('ACL LOG\r\n');
  let text = '';
  socket.on('data', (piece: Buffer) => {
    text += piece.toString();
  });
  await once(socket, 'close');
  const lines = text.split('\r\n');
  return lines.filter((line, index) => lines[index - 2] === 'object' && line !== 'client|setinfo');
}
