/** What becomes a job is taken in once, whole and within bounds, or not at all. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { jobIdPattern } from '../../../src/jobs/job-id.ts';
import { redisKeys } from '../../../src/redis/keys.ts';
import { until } from '../../support/gateway.ts';
import { assertRefused, bearer, send } from '../client.ts';
import { type DoorStage, LARGE, prompt, SMALL, startDoorStage } from './door-stage.ts';
import { got, LINE } from './player.ts';

const ASYNC = { prefer: 'respond-async' };
const keys = redisKeys('sluice');

let stage: DoorStage;
let raw: Redis;
before(async () => {
  stage = await startDoorStage({ waiting: { tenant_jobs_max: 60, jobs_max: 100 } });
  raw = new Redis(stage.redis.port);
});
after(async () => {
  raw.disconnect();
  await stage.stop();
});

function idOf(reply: { readonly body: Buffer }): string {
  return (JSON.parse(reply.body.toString()) as { id: string }).id;
}

test('202 says where to ask, when, and what was heeded', async () => {
  const reply = await stage.post(await stage.keyOf('told'), prompt(SMALL), {
    prefer: 'x, respond-async; y=1',
  });
  assert.equal(reply.status, 202, reply.body.toString());
  const job = JSON.parse(reply.body.toString()) as Record<string, unknown>;
  assert.match(String(job.id), jobIdPattern);
  assert.deepEqual([job.object, job.status, job.position, job.model], ['job', 'queued', 1, LINE]);
  const { headers } = reply;
  assert.equal(headers.location, `/v1/jobs/${job.id}`);
  assert.deepEqual([headers['preference-applied'], headers['x-sluice-job']], ['respond-async', job.id]);
  assert.ok(Number(headers['retry-after']) >= 1 && Number(headers['openai-poll-after-ms']) >= 500);
  assert.match(String(headers['x-request-id']), /./);
});

test('what lies in store is the request and all that a worker has to know', async () => {
  const { player, requestOf, post } = stage;
  const key = await stage.keyOf('stored', { weight: 2 });
  const sent = prompt(LARGE, { stream: true, extra: 'ü' });
  const id = idOf(await post(key, sent, { ...ASYNC, priority: 'u=0, i', 'x-request-id': 'mine' }));
  const { spec, body } = await requestOf(id);
  assert.equal(body.toString(), sent);
  assert.deepEqual(
    [spec.kind, spec.tenant, spec.request_id, spec.path, spec.model, spec.line, spec.requested_model],
    ['inference', 'stored', 'mine', '/v1/chat/completions', LINE, LINE, LINE],
  );
  assert.deepEqual([spec.streamed, spec.asks_for_usage, spec.version, spec.suffix], [true, true, null, null]);
  const record = got(await player.table.find(id));
  assert.deepEqual([record?.via, record?.priority, record?.key_id], ['async', 9, spec.key_id]);
  assert.equal(record?.cost, spec.charge.inputTokens + spec.charge.outputTokens);
});

test('its quota is taken at the door, and a spent one refuses it without leaving anything', async () => {
  const { post } = stage;
  const key = await stage.keyOf('counted', { quotas: [{ period: 'total', requests: 2 }] });
  const first = await post(key, prompt(SMALL), ASYNC);
  assert.equal(first.headers['x-quota-remaining-requests'], '1');
  await post(key, prompt(SMALL), ASYNC);
  const before = await stored();
  assertRefused(await post(key, prompt(SMALL), ASYNC), 'insufficient_quota');
  assert.deepEqual(await stored(), before);
});

test('an oversized prompt is treated as its tenant wants it', async () => {
  const { post, upstream } = stage;
  const sent = upstream.requests.length;
  assert.equal((await post(await stage.keyOf('later', { oversize: 'async' }), prompt(LARGE))).status, 202);
  const refused = await post(await stage.keyOf('never', { oversize: 'reject' }), prompt(LARGE));
  assert.match(assertRefused(refused, 'request_oversized').message, /Prefer: respond-async/);
  assert.equal(upstream.requests.length, sent);
  assert.equal((await post(await stage.keyOf('small', { oversize: 'reject' }), prompt(SMALL))).status, 200);
});

test('one Idempotency-Key makes one job, however many ask through however many replicas at once', async () => {
  const { post, one, other, player } = stage;
  const key = await stage.keyOf('once');
  const headers = { ...ASYNC, 'idempotency-key': 'k-1' };
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      post(key, prompt(SMALL), headers, index % 2 === 0 ? one : other),
    ),
  );
  assert.deepEqual([...new Set(replies.map(({ status }) => status))], [202]);
  assert.equal(new Set(replies.map(idOf)).size, 1);
  assert.equal(got(await player.table.list('once', 0, 10)).length, 1);
  assertRefused(await post(key, prompt(SMALL + 1), headers), 'idempotency_mismatch');
  assert.deepEqual(
    [(await post(key, prompt(SMALL), { 'idempotency-key': 'k-1' })).status, replies[0]?.status],
    [202, 202],
    'also for who does not say again that it shall be a job',
  );
});

test('a route to a plain server has its keys too', async () => {
  const key = await stage.keyOf('plain');
  const headers = { ...bearer(key), ...ASYNC, 'idempotency-key': 'k-1' };
  const ask = (body: string) => send(stage.one.url, '/predict', { headers, body });
  const [first, second] = await Promise.all([ask('{}'), ask('{}')]);
  assert.deepEqual([first?.status, idOf(first)], [202, idOf(second)]);
  assertRefused(await ask('[]'), 'idempotency_mismatch');
});

test('a tenant with as many jobs as it may have is refused, and so is everybody when there are too many', async () => {
  const { post, player } = stage;
  const key = await stage.keyOf('many');
  const put = (count: number, tenant: string) =>
    Promise.all(Array.from({ length: count }, () => player.accept({ tenant, line: 'elsewhere' })));
  await put(60, 'many');
  const before = await stored();
  const refused = await post(key, prompt(SMALL), ASYNC);
  assertRefused(refused, 'too_many_jobs');
  assert.ok(Number(refused.headers['retry-after']) >= 1);
  await until(async () => (await stored()).length === before.length, 'what was taken to be given back');
  await put(50, 'others');
  assertRefused(await post(await stage.keyOf('late'), prompt(SMALL), ASYNC), 'job_queue_full');
  await until(async () => (await openTickets('late')) === 0, 'the ticket to be given back');
});

/** Jobs and payloads. */
async function stored(): Promise<string[]> {
  const all = await raw.keys(`${keys.jobRoot()}:*`);
  return all.filter((key) => /:(job|payload):/.test(key)).sort();
}

/** Without the marks of those that were closed. */
async function openTickets(tenant: string): Promise<number> {
  return (await raw.hvals(keys.tickets(tenant))).filter((ticket) => ticket !== 'c').length;
}
