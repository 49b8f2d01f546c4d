import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oversizeRuleOf } from '../../src/config/jobs.ts';
import { loadConfig } from '../../src/config/load.ts';

function load(yaml: string) {
  const env = { SLUICE_SECRET: 'a secret of at least 32 characters', SLUICE_CONFIG: 'sluice.yaml' };
  return loadConfig({ env, readFile: () => yaml });
}

function rulesOf(yaml: string) {
  const loaded = load(yaml);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const { jobs, models } = loaded.config;
  return models.map(({ oversize }) => oversizeRuleOf(jobs.oversize, oversize));
}

const model = (oversize: string) => `  - {name: m${oversize.length}, upstreams: [gpu]${oversize}}\n`;
const upstreams = 'upstreams: [{name: gpu, url: "http://gpu:1"}]\n';

test('a model differs from the general rule in what it names, or has none', () => {
  const models = [
    '',
    ', oversize: {tokens: 100000}',
    ', oversize: {images: 8, bytes: false}',
    ', oversize: false',
  ];
  const yaml = `${upstreams}jobs: {oversize: {bytes: 5000000}}\nmodels:\n${models.map(model).join('')}`;
  assert.deepEqual(rulesOf(yaml), [
    { tokens: 32_000, bytes: 5_000_000, images: false },
    { tokens: 100_000, bytes: 5_000_000, images: false },
    { tokens: 32_000, bytes: false, images: 8 },
    undefined,
  ]);
});

test('a key differs from the rule of the model in what it names, or has none', () => {
  const ofModel = { tokens: 32_000, bytes: 5_000_000, images: false } as const;
  assert.deepEqual(oversizeRuleOf(ofModel, { tokens: 500 }), { ...ofModel, tokens: 500 });
  assert.equal(oversizeRuleOf(ofModel, false), undefined);
  const alone = { tokens: false, bytes: false, images: 2 } as const;
  assert.deepEqual(oversizeRuleOf(undefined, { images: 2 }), alone);
  assert.equal(oversizeRuleOf(ofModel, { tokens: false, bytes: false }), undefined);
});

test('where nothing makes a request oversized there is no rule', () => {
  const oversize = 'jobs: {oversize: {tokens: false, bytes: false}}';
  assert.deepEqual(rulesOf(`${upstreams}${oversize}\nmodels:\n${model('')}`), [undefined]);
});

test('the bounds of jobs are those of the file, else the usual ones', () => {
  const loaded = load('jobs: {waiting: {tenant_jobs_max: 5}, attempts_max: 1}\nworker: {concurrency: 3}');
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const { jobs, worker } = loaded.config;
  assert.deepEqual(jobs.waiting, {
    tenant_jobs_max: 5,
    jobs_max: 100_000,
    tenant_bytes_max: 1_000_000_000,
    bytes_max: 4_000_000_000,
  });
  assert.deepEqual([jobs.attempts_max, jobs.lifetime_seconds, jobs.result_seconds], [1, 86_400, 86_400]);
  assert.equal(worker.concurrency, 3);
});

test('a wrong rule is named with its place and what to write', () => {
  const wrong = [', oversize: true', ', oversize: {tokens: 0}', ', oversize: {token: 5}'];
  const loaded = load(`${upstreams}jobs: {oversize: {images: many}}\nmodels:\n${wrong.map(model).join('')}`);
  assert.ok(!loaded.ok);
  assert.deepEqual(
    loaded.faults.map(({ path, problem }) => `${path} ${problem}`),
    [
      'jobs.oversize.images "many" must be a whole number from 1 to 100000, or false for no such bound',
      'models[0].oversize true must be a mapping or false',
      'models[1].oversize.tokens 0 must be a whole number from 1 to 100000000, or false for no such bound',
      'models[2].oversize.token is not a known key',
    ],
  );
});
