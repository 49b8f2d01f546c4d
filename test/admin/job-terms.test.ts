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

test('a key has no oversize rule of its own until it is given one, and loses it by null', async () => {
  const { id, oversize_rule } = await ask('POST', '/keys', { tenant: 'ruled', name: 'web' });
  assert.equal(oversize_rule, null);
  const change = async (json: object) => (await ask('PATCH', `/keys/${id}`, json)).oversize_rule;
  const given = { tokens: 64_000, images: false };
  assert.deepEqual(await change({ oversize_rule: given }), given);
  assert.deepEqual(await change({ name: 'other' }), given);
  assert.equal(await change({ oversize_rule: false }), false);
  assert.equal(await change({ oversize_rule: null }), null);
  const made = await ask('POST', '/keys', { tenant: 'ruled', name: 'own', oversize_rule: given });
  assert.deepEqual(made.oversize_rule, given);
  for (const wrong of [true, 5, 'never', { tokens: 0 }, { token: 5 }, { bytes: 1.5 }]) {
    const json = { oversize_rule: wrong };
    const { status } = await admin.call('PATCH', `/admin/v1/keys/${id}`, { json });
    assert.equal(status, 400, JSON.stringify(wrong));
  }
  assert.equal((await ask('GET', `/keys/${id}`)).oversize_rule, null);
});

test('the command line sets, shows and takes away the oversize rule of a key', async () => {
  const made = await run(
    'keys create --tenant cli-rule --name web --oversize-rule tokens=500,images=never --json',
  );
  assert.equal(made.exitCode, 0, made.stderr);
  const { id } = JSON.parse(made.stdout);
  assert.match((await run(`keys show ${id}`)).stdout, /^oversize rule +tokens=500,images=never$/m);
  const shown = async (rule: string) => (await run(`keys update ${id} --oversize-rule ${rule}`)).stdout;
  assert.match(await shown('never'), /^oversize rule +never$/m);
  assert.match(await shown('bytes=7'), /^oversize rule +bytes=7$/m);
  assert.match(await shown('none'), /^oversize rule +none$/m);
  for (const wrong of ['tokens', 'token=5', 'tokens=5,tokens=6', 'tokens=-1', 'tokens=5,']) {
    const refused = await run(`keys update ${id} --oversize-rule ${wrong}`);
    assert.equal(refused.exitCode, 2, wrong);
    assert.match(refused.stderr, /tokens=64000,images=never/);
  }
});
