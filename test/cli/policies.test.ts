import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluice } from './run.ts';

let admin: AdminFixture;

const policies = [
  {
    name: 'careful',
    model: 'glm',
    defaults: { temperature: 0.2 },
    forced: { n: 1, stop: ['END'] },
    caps: { max_tokens: 100 },
    removed: ['user'],
    system_text: 'Be brief.\n',
    media_hosts: [],
  },
  { name: 'plain', default_model: 'glm', suffix_text: ' ({tenant})' },
];

before(async () => {
  admin = await startAdmin({}, undefined, {}, { policies });
});
after(() => admin.stop());

function run(line: string) {
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  return sluice(line.split(' '), { env });
}

async function printed(line: string) {
  const { exitCode, stdout, stderr } = await run(`${line} --json`);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout);
}

test('the policies of the configuration are listed and shown', async () => {
  const [list, shown, json, unknown] = await Promise.all([
    run('policies list'),
    run('policies show careful'),
    printed('policies show plain'),
    run('policies show other'),
  ]);
  assert.match(list.stdout, /^careful +glm +temperature +n, stop +max_tokens 100 +user +system +none$/m);
  assert.match(list.stdout, /^plain +glm, if none +suffix *$/m);
  assert.match(shown.stdout, /^forced +n 1, stop \["END"\]$/m);
  assert.match(shown.stdout, /^system text +"Be brief\.\\n"$/m);
  assert.match(shown.stdout, /^media hosts +none$/m);
  assert.equal(json.suffix_text, ' ({tenant})');
  assert.equal(unknown.exitCode, 1);
  assert.match(unknown.stderr, /no policy "other"/);
});

test('keys and tenants get a policy, are shown with it, keep it, and lose it with none', async () => {
  const { id, policy } = await printed('keys create --tenant acme --name web --policy careful');
  assert.equal(policy, 'careful');
  assert.equal((await printed('tenants create beta --policy plain')).policy, 'plain');
  const [key, keys, tenant, tenants] = await Promise.all([
    run(`keys show ${id}`),
    printed('keys list'),
    run('tenants show beta'),
    printed('tenants list'),
  ]);
  assert.match(key.stdout, /^policy +careful$/m);
  assert.match(tenant.stdout, /^policy +plain$/m);
  assert.equal(keys[0].policy, 'careful');
  assert.deepEqual(
    tenants.map((one: { policy: string | null }) => one.policy),
    [null, 'plain'],
  );
  assert.equal((await printed('tenants update beta --rpm 5')).policy, 'plain');
  assert.equal((await printed('tenants update beta --policy none')).policy, null);
  assert.equal((await printed(`keys update ${id} --policy none`)).policy, null);
  const refused = await run('tenants update beta --policy carefull');
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /no policy "carefull"; there are careful, plain/);
});

test('whether answers show the servers that were tried is switched on and off', async () => {
  assert.equal((await printed('tenants create showing --show-attempts on')).show_attempts, true);
  assert.equal((await printed('tenants update showing --rpm 5')).show_attempts, true);
  assert.match((await run('tenants show showing')).stdout, /^show attempts +on$/m);
  assert.equal((await printed('tenants update showing --show-attempts off')).show_attempts, false);
});
