import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { noAccessRules } from '../../src/core/access.ts';

const env = { SLUICE_CONFIG: 'sluice.yaml', SLUICE_SECRET: 'a secret of at least 32 characters' };
const models = `
upstreams: [{name: gpu-1, url: http://10.0.0.1:8000}]
models: [{name: glm, upstreams: [gpu-1]}]
`;

function load(text: string) {
  return loadConfig({ env, readFile: () => models + text });
}

function faultsOf(text: string): string[] {
  const loaded = load(text);
  return loaded.ok ? [] : loaded.faults.map(({ path, problem }) => `${path}: ${problem}`);
}

test('a policy comes out as it stands in the file, nulls inside of values too, and what it leaves out is empty', () => {
  const loaded = load(`
policies:
  - name: full
    model: glm
    defaults: {temperature: 0.2, stop: [END], chat_template_kwargs: {thinking: null, level: 2}}
    forced: {n: 1, response_format: {type: json_object}, logprobs: true}
    caps: {max_tokens: 500, top_k: 40}
    removed: [user, seed]
    system_text: "Be brief.\\n"
    suffix_text: " ({tenant}, {request_id})"
    media_hosts: [images.example.com, "10.0.0.9:9000"]
  - name: short
    media_hosts: []
`);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  assert.deepEqual(loaded.config.policies, [
    {
      name: 'full',
      model: 'glm',
      default_model: undefined,
      defaults: { temperature: 0.2, stop: ['END'], chat_template_kwargs: { thinking: null, level: 2 } },
      forced: { n: 1, response_format: { type: 'json_object' }, logprobs: true },
      caps: { max_tokens: 500, top_k: 40 },
      removed: ['user', 'seed'],
      system_text: 'Be brief.\n',
      suffix_text: ' ({tenant}, {request_id})',
      media_hosts: ['images.example.com', '10.0.0.9:9000'],
    },
    {
      name: 'short',
      model: undefined,
      default_model: undefined,
      defaults: {},
      forced: {},
      caps: {},
      removed: [],
      system_text: undefined,
      suffix_text: undefined,
      media_hosts: [],
    },
  ]);
  assert.ok(Object.isFrozen(loaded.config.policies[0]?.forced.response_format));
});

test('texts are bounded by their bytes', () => {
  const policy = (field: string, text: string) => `policies: [{name: p, ${field}: "${text}"}]\n`;
  for (const [field, bytesMax] of [
    ['system_text', 32_768],
    ['suffix_text', 8_192],
  ] as const) {
    assert.deepEqual(faultsOf(policy(field, 'ü'.repeat(bytesMax / 2))), []);
    const [fault, ...more] = faultsOf(policy(field, `${'ü'.repeat(bytesMax / 2)}x`));
    assert.ok(fault?.endsWith(` is larger than ${bytesMax} bytes`), fault ?? 'no fault');
    assert.deepEqual(more, []);
  }
});

test('a forced or default value may be as large as a cap, and caps of the configuration count where they are raised', () => {
  const policy =
    'policies: [{name: p, defaults: {max_tokens: 100}, forced: {n: 20}, caps: {max_tokens: 100, n: 20}}]';
  assert.deepEqual(faultsOf(policy), ['policies[0].forced.n: 20 is not between 0 and caps.n, 16']);
  assert.deepEqual(faultsOf(`${policy}\ncaps: {n: 20}`), []);
});

test('any name of a model will do where a server serves whatever it lists', () => {
  const policy = 'policies: [{name: p, model: other}]\n';
  assert.deepEqual(faultsOf(policy), ['policies[0].model: no model is named "other"']);
  const text = `upstreams: [{name: gpu-1, url: http://10.0.0.1:8000, discover: true}]\n${policy}`;
  assert.ok(loadConfig({ env, readFile: () => text }).ok);
});

test('a seed has what it names, and says that nothing is limited with null', () => {
  const loaded = load(`
tenants:
  - name: acme
    policy: null
    limits: {requests_per_minute: null, max_concurrent: 4}
    models: null
  - name: plain
`);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const jobs = { oversize: 'hold', over_limit: 'reject', hold_seconds: 60, weight: 1 };
  const access = { ...noAccessRules, require_jwt: false };
  const treatment = { priority: 'normal', answer_metadata: false, show_attempts: false, ...jobs, ...access };
  assert.deepEqual(loaded.config.tenants, [
    {
      name: 'acme',
      limits: { requests_per_minute: null, max_concurrent: 4 },
      models: null,
      policy: null,
      ...treatment,
    },
    { name: 'plain', ...treatment },
  ]);
});
