/** What operators see of jobs and do with them, through a real gateway; the worker is played. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeJobId } from '../../src/jobs/job-id.ts';
import { type DoorStage, LARGE, prompt, SMALL, startDoorStage } from '../http/jobs/door-stage.ts';
import { got, LINE } from '../http/jobs/player.ts';

const keys = new Map<string, string>();
let stage: DoorStage;
before(async () => {
  stage = await startDoorStage();
});
after(() => stage.stop());

type Body = Readonly<Record<string, unknown>>;

async function admin(method: string, path: string): Promise<{ status: number; body: Body }> {
  return stage.one.admin(method, `/jobs${path}`);
}

/** Through the door; the id. */
async function putJob(tenant: string, body = prompt(SMALL)): Promise<string> {
  const key = keys.get(tenant) ?? (await stage.keyOf(tenant));
  keys.set(tenant, key);
  const reply = await stage.post(key, body, { prefer: 'respond-async' });
  assert.equal(reply.status, 202, reply.body.toString());
  return (JSON.parse(reply.body.toString()) as { id: string }).id;
}

async function putFailed(tenant: string): Promise<string> {
  const id = await putJob(tenant, prompt(LARGE));
  await stage.player.fail(id, await stage.player.begin(id));
  return id;
}

function idsOf({ data }: Body): string[] {
  return (data as { id: string }[]).map(({ id }) => id);
}

test('jobs are listed by tenant, status and model, page after page, each once', async () => {
  const made: string[] = [];
  for (let count = 0; count < 7; count += 1) made.push(await putJob('lister'));
  await putJob('another');
  const seen: string[] = [];
  let cursor = '';
  do {
    const { body } = await admin('GET', `?tenant=lister&limit=3${cursor}`);
    seen.push(...idsOf(body));
    cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
  } while (cursor !== '');
  assert.deepEqual(seen.toSorted(), made.toSorted());
  assert.equal(seen[0], made.at(-1), 'the newest first');
  await admin('POST', `/${made[0]}/cancel`);
  assert.deepEqual(idsOf((await admin('GET', '?tenant=lister&status=cancelled')).body), [made[0]]);
  assert.deepEqual(idsOf((await admin('GET', '?tenant=lister&model=none')).body), []);
  const all = idsOf((await admin('GET', `?model=${LINE}&limit=1000`)).body);
  assert.equal(new Set(all).size, all.length);
  assert.ok(made.every((id) => all.includes(id)));
  assert.equal((await admin('GET', '?cursor=x')).status, 400);
  assert.equal((await admin('GET', '?status=done')).status, 400);
});

test('a job is shown with its place, and without its prompt', async () => {
  const id = await putJob('shown', prompt(SMALL, { user: 'nobody else' }));
  const { status, body } = await admin('GET', `/${id}`);
  assert.equal(status, 200);
  assert.deepEqual(
    [body.id, body.tenant, body.status, body.attempts, body.retry_of],
    [id, 'shown', 'queued', 0, null],
  );
  assert.ok(Number(body.position) >= 1);
  assert.ok(Date.parse(String(body.expires_at)) > Date.parse(String(body.created_at)));
  assert.doesNotMatch(JSON.stringify(body), /nobody else/);
  for (const unknown of [makeJobId(), 'job_x', '..']) {
    assert.equal((await admin('GET', `/${encodeURIComponent(unknown)}`)).status, 404);
  }
});

test('a waiting job that is cancelled never runs, and saying it twice changes nothing', async () => {
  const id = await putJob('leaver');
  const first = await admin('POST', `/${id}/cancel`);
  assert.deepEqual([first.body.status, first.body.cancelled_by], ['cancelled', 'operator']);
  assert.equal((await admin('POST', `/${id}/cancel`)).body.status, 'cancelled');
  assert.equal(got(await stage.player.table.start(id, 'late', 3)).verdict, 'over');
  assert.equal((await admin('POST', `/${makeJobId()}/cancel`)).status, 404);
});

test('a failed job runs again as a new one with the same request, once, however often it is asked for', async () => {
  const id = await putFailed('trier');
  const before = got(await stage.player.payloads.readRequest(id));
  const [one, other] = await Promise.all([admin('POST', `/${id}/retry`), admin('POST', `/${id}/retry`)]);
  assert.deepEqual([one.status, other.status], [200, 200], JSON.stringify([one.body, other.body]));
  assert.equal(one.body.id, other.body.id);
  assert.deepEqual([one.body.retry_of, one.body.status, one.body.tenant], [id, 'queued', 'trier']);
  const again = String(one.body.id);
  const request = got(await stage.player.payloads.readRequest(again));
  assert.ok(before.kind === 'whole' && request.kind === 'whole');
  assert.equal(bodyOf(request.body), bodyOf(before.body));
  await stage.player.complete(again, await stage.player.begin(again), Buffer.from('{}'));
  assert.equal((await admin('GET', `/${id}`)).body.status, 'failed', 'what has ended stays so');
  assert.equal((await admin('GET', `/${again}`)).body.status, 'completed');
});

test('only what has failed, whose request is kept and whose key is valid, is tried again', async () => {
  const waiting = await putJob('refused');
  assert.deepEqual(await codeOf(waiting), [409, 'conflict']);
  const gone = await putFailed('refused');
  got(await stage.player.payloads.delete(gone, 0));
  assert.deepEqual(await codeOf(gone), [409, 'conflict']);
  const { key, id: keyId } = await stage.one.createKey({ tenant: 'revoked' });
  const reply = await stage.post(key, prompt(SMALL), { prefer: 'respond-async' });
  const { id } = JSON.parse(reply.body.toString()) as { id: string };
  await stage.player.fail(id, await stage.player.begin(id));
  await stage.one.admin('DELETE', `/keys/${keyId}`);
  assert.deepEqual(await codeOf(id), [409, 'conflict']);
});

test('while the queue is drained nothing is picked, at any replica, until it is resumed', async () => {
  const id = await putJob('patient');
  const { status, body } = await admin('POST', '/drain');
  assert.equal(status, 200);
  assert.match(String(body.drained_at), /^20/);
  const again = await admin('POST', '/drain');
  assert.equal(again.body.drained_at, body.drained_at);
  assert.deepEqual(got(await stage.player.table.pick(LINE, 100)), []);
  const queue = (await admin('GET', '/queue')).body;
  const line = (queue.lines as { line: string; waiting: number }[]).find((one) => one.line === LINE);
  assert.ok(queue.drained_at !== null && line && line.waiting >= 1);
  assert.equal((await admin('POST', '/resume')).body.drained_at, null);
  const picked = got(await stage.player.table.pick(LINE, 1_000));
  assert.ok(picked.some((job) => job.id === id));
});

test('what operators do with jobs stands in the audit trail', async () => {
  const id = await putFailed('audited');
  const { body: made } = await admin('POST', `/${id}/retry`);
  await admin('POST', `/${made.id}/cancel`);
  const { body } = await stage.one.admin('GET', '/audit?limit=1000');
  const entries = body.data as { action: string; actor: string; subject: Record<string, string> }[];
  const told = entries.map(({ action, actor, subject }) => [actor, action, subject]);
  assert.deepEqual(told.slice(0, 2), [
    ['root', 'job.cancel', { job: made.id, tenant: 'audited' }],
    ['root', 'job.retry', { job: id, tenant: 'audited', made: made.id }],
  ]);
  for (const action of ['jobs.drain', 'jobs.resume']) {
    assert.ok(
      entries.some((entry) => entry.action === action),
      action,
    );
  }
});

async function codeOf(id: string): Promise<unknown[]> {
  const { status, body } = await admin('POST', `/${id}/retry`);
  return [status, (body.error as { code: string }).code];
}

/** Behind what the worker has to know. */
function bodyOf(payload: Buffer): string {
  return payload.toString('latin1', 4 + payload.readUInt32BE(0));
}
