import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sluice } from '../cli/run.ts';
import { type AdminFixture, startAdmin, TOKEN } from './fixture.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

const usual = { oversize: 'hold', over_limit: 'reject', hold_seconds: 60, weight: 1 };

async function ask(method: string, path: string, json?: object) {
  const { status, body } = await admin.call(method, `/admin/v1${path}`, json ? { json } : {});
  assert.ok(status < 300, JSON.stringify(body));
  return body;
}

function run(line: string) {
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  return sluice(line.split(' '), { env });
}

test('a tenant begins with the usual terms for jobs, and a change leaves what it does not name', async () => {
  assert.partialDeepStrictEqual(await ask('POST', '/tenants', { name: 'plain' }), usual);
  const given = { oversize: 'async', over_limit: 'hold', hold_seconds: 5.5, weight: 0.5 };
  assert.partialDeepStrictEqual(await ask('POST', '/tenants', { name: 'own', ...given }), given);
  const changed = await ask('PATCH', '/tenants/own', { weight: 100 });
  assert.partialDeepStrictEqual(changed, { ...given, weight: 100 });
  await ask('PATCH', '/tenants/own', { priority: 'low' });
  assert.partialDeepStrictEqual(await ask('GET', '/tenants/own'), { ...given, weight: 100, priority: 'low' });
});

test('terms that cannot be are refused with 400, and nothing is changed', async () => {
  const before = await ask('POST', '/tenants', { name: 'kept' });
  for (const json of [
    { oversize: 'queue' },
    { over_limit: true },
    { hold_seconds: 0 },
    { hold_seconds: 601 },
    { weight: 0.05 },
    { weight: 101 },
    { weight: null },
  ]) {
    const { status } = await admin.call('PATCH', '/admin/v1/tenants/kept', { json });
    assert.equal(status, 400, JSON.stringify(json));
  }
  assert.deepEqual(await ask('GET', '/tenants/kept'), before);
});

test('the command line sets and shows the terms for jobs', async () => {
  const created = await run(
    'tenants create cli --oversize reject --over-limit async --hold-seconds 30 --weight 2.5',
  );
  assert.equal(created.exitCode, 0, created.stderr);
  for (const line of [
    /^oversize +reject$/m,
    /^over limit +async$/m,
    /^hold seconds +30$/m,
    /^weight +2\.5$/m,
  ]) {
    assert.match(created.stdout, line);
  }
  await run('tenants update cli --weight 4');
  const { oversize, weight } = await ask('GET', '/tenants/cli');
  assert.deepEqual([oversize, weight], ['reject', 4]);
  const refused = await run('tenants update cli --weight 0');
  assert.equal(refused.exitCode, 2);
  assert.match(refused.stderr, /number from 0\.1 to 100/);
});
