import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { noLimits } from '../../src/core/limits.ts';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluice } from './run.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

async function run(line: string) {
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  const { exitCode, stdout, stderr } = await sluice(line.split(' '), { env });
  assert.equal(exitCode, 0, stderr);
  return stdout;
}

async function json(line: string) {
  return JSON.parse(await run(`${line} --json`));
}

const amounts = { requests: null, tokens: null, images: null, gpu_seconds: null, cost_usd: null };

test('the flags of limits, quotas and models reach the record of a new key', async () => {
  const key = await json(
    'keys create --tenant acme --name web --rpm 100 --tpm 100000 --max-concurrent 8 --burst-requests 20 ' +
      '--burst-tokens none --quota day:requests=1000,cost_usd=2.5 --quota total:gpu_seconds=0.125 ' +
      '--model llama3:8b --model org/big:rpm=10,max-concurrent=1',
  );
  assert.deepEqual(key.limits, {
    requests_per_minute: 100,
    tokens_per_minute: 100_000,
    max_concurrent: 8,
    burst_requests: 20,
    burst_tokens: null,
  });
  assert.deepEqual(key.quotas, [
    { ...amounts, period: 'day', requests: 1_000, cost_usd: 2.5 },
    { ...amounts, period: 'total', gpu_seconds: 0.125 },
  ]);
  assert.deepEqual(key.models, {
    'llama3:8b': noLimits,
    'org/big': { ...noLimits, requests_per_minute: 10, max_concurrent: 1 },
  });
});

test('an update leaves the limits that it does not name, and --no-limits begins anew', async () => {
  const { id } = await json(
    'keys create --tenant acme --name b --rpm 5 --tpm 700 --quota day:tokens=9 --model a',
  );
  const faster = await json(`keys update ${id} --rpm 6`);
  assert.deepEqual(faster.limits, { ...noLimits, requests_per_minute: 6, tokens_per_minute: 700 });
  assert.deepEqual([faster.quotas.length, faster.models], [1, ['a']]);
  const open = await json(`keys update ${id} --tpm none --no-quotas --all-models`);
  assert.deepEqual(open.limits, { ...noLimits, requests_per_minute: 6 });
  assert.deepEqual([open.quotas, open.models], [[], null]);
  assert.deepEqual((await json(`keys update ${id} --no-limits --max-concurrent 2`)).limits, {
    ...noLimits,
    max_concurrent: 2,
  });
  assert.deepEqual((await json(`keys update ${id} --no-limits`)).limits, noLimits);
});

test('people read limits, quotas and models in a line each, of a key and in the list', async () => {
  const { id } = await json(
    'keys create --tenant readers --name c --rpm 100 --burst-requests 20 --tpm 100000 --max-concurrent 8 ' +
      '--quota hour:requests=1234 --quota month:tokens=2500000,cost_usd=1000.5 --quota total:gpu_seconds=0 ' +
      '--model a --model b:rpm=5',
  );
  const shown = await run(`keys show ${id}`);
  assert.match(shown, /^limits +100\/min \(burst 20\), 100k tokens\/min, 8 at once$/m);
  assert.match(
    shown,
    /^quotas +1,234 requests an hour, 2.5M tokens and \$1,000.5 a month, 0 GPU seconds in all$/m,
  );
  assert.match(shown, /^models +a, b \(5\/min\)$/m);
  assert.match(
    await run('keys list --tenant readers'),
    / {2}100\/min \(burst 20\), 100k tokens\/min, 8 at once {2}/,
  );
  await json('keys create --tenant open --name d');
  assert.match(await run('keys list --tenant open'), / {2}none {4}all$/m);
});

test('a tenant is made, shown, listed and changed with the same flags', async () => {
  assert.match(await run('tenants create team --rpm 1000 --quota month:cost_usd=50'), /^limits +1k\/min$/m);
  assert.match(await run('tenants show team'), /^quotas +\$50 a month$/m);
  assert.match(await run('tenants list'), /^team +active .* 1k\/min$/m);
  const changed = await json('tenants update team --max-concurrent 4 --model a');
  assert.deepEqual(changed.limits, { ...noLimits, requests_per_minute: 1_000, max_concurrent: 4 });
  assert.deepEqual([changed.models, changed.quotas.length], [['a'], 1]);
});
