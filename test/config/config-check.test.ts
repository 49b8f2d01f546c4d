import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { configCheck } from '../../src/cli/config-check.ts';

async function check(env: Record<string, string>) {
  let output = '';
  const code = await configCheck(env, (text) => {
    output += text;
  });
  return { code, output };
}

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

test('a good configuration gets 0, ok and a summary without secrets', async () => {
  const { code, output } = await check({
    SLUICE_CONFIG: pathOf('../../deploy/sluice.example.yaml'),
    SLUICE_SECRET: 'hunter2-hunter2-hunter2-hunter2-hunter2',
    SLUICE_ADMIN_TOKEN: 'hunter2-hunter2-hunter2',
    REDIS_URL: 'redis://:hunter2@127.0.0.1:6379',
    SLUICE_KEYS: 'acme=hunter2-hunter2',
  });
  assert.equal(code, 0);
  assert.match(output, /^ok\n {2}file .*sluice\.example\.yaml\n/);
  assert.match(output, /^ {2}model +glm-4\.7-flash, also \*, on gpu-1 gpu-2 ×2, default$/m);
  assert.match(output, /^ {2}model +chat, on gpu-1 \(stable, 95 %\), gpu-2 \(canary, 5 %\)$/m);
  assert.match(output, /^ {2}route +POST \/predict, on classifier$/m);
  assert.ok(!output.includes('hunter2'));
});

test('a bad configuration gets 1 and a line for every fault', async () => {
  const file = pathOf('fixtures/unknown-upstream.yaml');
  const { code, output } = await check({ SLUICE_CONFIG: file, PORT: 'x' });
  assert.equal(code, 1);
  const lines = output.trimEnd().split('\n');
  assert.equal(lines.length, 4);
  assert.ok(lines[2]?.startsWith(`${file}:11:9 models[0].upstreams[1]: no upstream is named "gpu-9".`));
  assert.equal(lines[3], '3 faults');
});
