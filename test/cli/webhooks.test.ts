/** `sluice webhooks`: set, show, rotate, list what was given up and replay it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluice } from './run.ts';

let admin: AdminFixture;
before(async () => {
  admin = await startAdmin({}, undefined, {}, { webhooks: { allowed_hosts: ['127.0.0.1:9'] } });
  await admin.call('POST', '/admin/v1/tenants', { json: { name: 'acme' } });
});
after(() => admin.stop());

const run = (...parameters: string[]) =>
  sluice(['webhooks', ...parameters], { env: { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN } });

test('a webhook is set with its secret, shown without it, rotated and removed', async () => {
  const set = await run('set', 'acme', '--url', 'http://127.0.0.1:9/hook');
  assert.equal(set.exitCode, 0, set.stderr);
  assert.match(set.stdout, /secret +whsec_/);
  const [shown, rotated] = await Promise.all([
    run('show', 'acme'),
    run('rotate-secret', 'acme', '--overlap', '1h', '--json'),
  ]);
  assert.match(shown.stdout, /status +enabled\n/);
  assert.doesNotMatch(shown.stdout, /whsec_/);
  assert.equal(JSON.parse(rotated.stdout).secrets.length, 2);
  assert.equal((await run('remove', 'acme')).exitCode, 0);
});

test('what cannot be replayed is said, and the exit code says it too', async () => {
  const [listed, replayed, unnamed] = await Promise.all([
    run('list-dead'),
    run('replay', 'evt_unknown'),
    run('replay'),
  ]);
  assert.match(listed.stderr, /No event was given up/);
  assert.deepEqual([replayed.exitCode, unnamed.exitCode], [1, 2]);
  assert.match(replayed.stdout, /^0 of 1 events/);
});
