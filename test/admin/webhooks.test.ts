/** The admin API sets webhooks of tenants, shows what was given up, and replays it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectRedis } from '../../src/redis/connection.ts';
import { webhookTable } from '../../src/redis/webhook-table.ts';
import { recordingLog, redisConfig } from '../redis/ground.ts';
import { type AdminFixture, startAdmin } from './fixture.ts';

let admin: AdminFixture;
before(async () => {
  admin = await startAdmin({}, undefined, {}, { webhooks: { allowed_hosts: ['127.0.0.1:9'] } });
  for (const name of ['acme', 'zoo']) await admin.call('POST', '/admin/v1/tenants', { json: { name } });
});
after(() => admin.stop());

const path = '/admin/v1/tenants/acme/webhook';
const url = 'http://127.0.0.1:9/hook?token=planted';

test('a webhook is made with its secret, shown without it, changed, rotated and removed', async () => {
  assert.equal((await admin.call('GET', path)).status, 404);
  const made = await admin.call('PUT', path, { json: { url } });
  assert.equal(made.status, 201);
  assert.match(made.body.secret, /^whsec_/);
  const shown = await admin.call('GET', path);
  assert.deepEqual(
    [shown.status, shown.body.url, shown.body.status, shown.body.events, shown.body.secret],
    [200, url, 'enabled', { waiting: 0, running: 0, dead: 0 }, undefined],
  );
  const disabled = await admin.call('PUT', path, { json: { status: 'disabled' } });
  assert.deepEqual([disabled.status, disabled.body.disabled_because], [200, 'operator']);
  const enabled = await admin.call('PUT', path, { json: { status: 'enabled' } });
  assert.equal(enabled.body.disabled_because, null);
  const rotated = await admin.call('POST', `${path}/rotate-secret`, { json: { overlap_seconds: 3_600 } });
  assert.notEqual(rotated.body.secret, made.body.secret);
  const [current, old] = rotated.body.secrets;
  assert.equal(current.expires_at, null);
  const leftMs = Date.parse(old.expires_at) - Date.now();
  assert.ok(leftMs > 3_500_000 && leftMs <= 3_600_000);
  assert.deepEqual((await admin.call('DELETE', path)).body, { tenant: 'acme', deleted: true });
  assert.equal((await admin.call('DELETE', path)).status, 404);
});

const refusals = [
  { name: 'an inside address', json: { url: 'https://10.0.0.1/' }, status: 400, param: 'url' },
  { name: 'plain http', json: { url: 'http://example.com/' }, status: 400, param: 'url' },
  { name: 'nothing', json: {}, status: 400, param: null },
  { name: 'an unknown field', json: { url, secret: 'mine' }, status: 400, param: 'secret' },
  { name: 'a status without a webhook', json: { status: 'disabled' }, status: 404, param: null },
] as const;

for (const { name, json, status, param } of refusals) {
  test(`${name} is refused`, async () => {
    const answer = await admin.call('PUT', '/admin/v1/tenants/zoo/webhook', { json });
    assert.deepEqual([answer.status, answer.body.error.param], [status, param]);
  });
}

test('a tenant that does not exist gets no webhook', async () => {
  const answer = await admin.call('PUT', '/admin/v1/tenants/nobody/webhook', { json: { url } });
  assert.equal(answer.status, 404);
});

test('events that were given up are listed page by page, shown and replayed', async (t) => {
  const connection = connectRedis(redisConfig(admin.redis.url), recordingLog().log);
  t.after(() => connection.close());
  await connection.reached();
  await admin.call('PUT', '/admin/v1/tenants/zoo/webhook', { json: { url } });
  const { keys } = connection;
  const table = webhookTable(connection, 4);
  for (const id of ['evt_1', 'evt_2', 'evt_3']) {
    await connection.ask(async (client) => {
      await client.hset(keys.event(id), {
        tenant: 'zoo',
        job: 'job_1',
        type: 'job.completed',
        created_ms: 1,
      });
      await client.zadd(keys.outbox('zoo'), '1', id);
      await client.zadd(keys.outboxReady(), '1', 'zoo');
    });
    await table.pick(1);
    const end = { outcome: 'dead', status: 500, cause: 'status' } as const;
    assert.deepEqual(await table.end({ event: id, number: 1 }, end), { ok: true, value: true });
  }
  const first = await admin.call('GET', '/admin/v1/webhooks/dead?tenant=zoo&limit=2');
  const second = await admin.call('GET', `/admin/v1/webhooks/dead?limit=2&cursor=${first.body.next_cursor}`);
  const listed = [...first.body.data, ...second.body.data].map(({ id }: { id: string }) => id);
  assert.deepEqual(listed.sort(), ['evt_1', 'evt_2', 'evt_3']);
  assert.equal(second.body.next_cursor, null);
  const shown = await admin.call('GET', '/admin/v1/webhooks/events/evt_1');
  assert.deepEqual([shown.body.tries, shown.body.last_status, shown.body.job], [1, 500, 'job_1']);
  const replayed = await admin.call('POST', '/admin/v1/webhooks/replay', {
    json: { events: ['evt_1', 'evt_9'] },
  });
  assert.deepEqual(replayed.body.data, [
    { id: 'evt_1', outcome: 'replayed' },
    { id: 'evt_9', outcome: 'absent' },
  ]);
  assert.equal((await admin.call('GET', '/admin/v1/webhooks/events/evt_9')).status, 404);
  assert.equal((await admin.call('GET', '/admin/v1/webhooks/dead?tenant=acme')).body.data.length, 0);
});

test('every write stands in the journal, and no address or secret does', () => {
  const lines = JSON.stringify(admin.logLines());
  for (const action of ['webhook.set', 'webhook.rotate', 'webhook.remove', 'webhook.replay']) {
    assert.ok(lines.includes(action), action);
  }
  assert.ok(!lines.includes('planted') && !lines.includes('whsec_'));
});
