/** What a running gateway takes over from a changed configuration, and what it has to say of the rest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changesBetween, liveConfig, needsRestart } from '../../src/config/live.ts';
import { type ConfigInput, configSchema } from '../../src/config/schema.ts';

const given: ConfigInput = {
  secret: 'a secret of at least 32 characters',
  upstreams: [
    { name: 'gpu-1', url: 'http://10.0.0.1' },
    { name: 'gpu-2', url: 'http://10.0.0.2', api_key: 'planted' },
    { name: 'plain', url: 'http://10.0.0.3' },
  ],
  models: [
    { name: 'glm', upstreams: ['gpu-1'] },
    { name: 'old', upstreams: ['gpu-2'] },
  ],
  routes: [{ path: '/predict', upstream: 'plain' }],
};
const started = configSchema.parse(given);
const read = (changes: Partial<ConfigInput>) => configSchema.parse({ ...given, ...changes });

test('the same file read twice changes nothing', () => {
  const next = read({});
  assert.deepEqual(changesBetween(started, liveConfig(started, started, next)), []);
  assert.deepEqual(needsRestart(started, next), []);
});

test('what has changed is told by name and field, and no value with it', () => {
  const next = read({
    upstreams: [
      { name: 'gpu-1', url: 'http://10.0.0.1', gpus: 8 },
      { name: 'gpu-2', url: 'http://10.0.0.2', api_key: 'planted-too' },
      { name: 'gpu-3', url: 'http://10.0.0.4' },
      { name: 'plain', url: 'http://10.0.0.3' },
    ],
    models: [
      { name: 'glm', upstreams: ['gpu-1', 'gpu-3'], prices: { input_per_million_usd: 1 } },
      { name: 'new', upstreams: ['gpu-2'] },
    ],
    default_model: 'glm',
    timeouts: { idle_ms: 1_000 },
    caps: { n: 2, stop: 4 },
    policies: [{ name: 'careful', caps: { n: 1 } }],
  });
  const changes = changesBetween(started, liveConfig(started, started, next));
  assert.deepEqual(
    changes.map(({ what, change, fields }) => [change, what, ...fields].join(' ')),
    [
      'changed upstreams.gpu-1 gpus',
      'changed upstreams.gpu-2 api_key',
      'added upstreams.gpu-3',
      'changed models.glm upstreams prices',
      'removed models.old',
      'added models.new',
      'added policies.careful',
      'added default_model',
      'changed timeouts idle_ms',
      'changed caps n stop',
    ],
  );
  assert.ok(!JSON.stringify(changes).includes('planted'));
});

test('every section that is not taken over is told when it differs', () => {
  const next = read({
    listen: { port: 9_000 },
    admin: { port: 9_001 },
    redis: { prefix: 'other' },
    queue: { redis_url: 'redis://127.0.0.1:7000' },
    secret: 'another secret of at least 32 characters',
    keys: { cache_seconds: 5 },
    defaults: { key: { limits: { max_concurrent: 1 } } },
    auth: { jwt: { issuers: [{ issuer: 'https://login.example', audience: 'sluice' }] } },
    admission: { lease_seconds: 20 },
    usage: { calls_kept: 0 },
    metrics: { tenants_max: 1 },
    waiting: { calls_max: 1 },
    jobs: { attempts_max: 1 },
    worker: { concurrency: 1 },
    webhooks: { concurrency: 1 },
    response_cache: { answer_bytes_max: 1 },
    idempotency: { seconds: 60 },
    tenants: [{ name: 'acme' }],
    routes: [],
    cors: { origins: ['*'] },
    drain: { limit_seconds: 1 },
    log: { level: 'debug' },
  });
  const sections = Object.keys(configSchema.shape);
  const live = ['timeouts', 'upstreams', 'models', 'default_model', 'caps', 'media', 'policies'];
  assert.deepEqual(
    needsRestart(started, next).sort(),
    sections.filter((section) => !live.includes(section)).sort(),
  );
});

test('a server that a route leads to stays, because routes stay', () => {
  const next = read({ upstreams: [{ name: 'gpu-1', url: 'http://10.0.0.1' }], models: [], routes: [] });
  const names = (live: ReturnType<typeof liveConfig>) => live.upstreams.map(({ name }) => name);
  const live = liveConfig(started, started, next);
  assert.deepEqual(names(live), ['gpu-1', 'plain']);
  assert.deepEqual(names(liveConfig(started, live, next)), ['gpu-1', 'plain']);
});

test('a policy that defaults and seeds of the start name stays, because they stay', () => {
  const policies = ['of-keys', 'of-tenants', 'of-acme', 'of-nobody'].map((name) => ({
    name,
    caps: { n: 1 },
  }));
  const begun = read({
    policies,
    defaults: { key: { policy: 'of-keys' }, tenant: { policy: 'of-tenants' } },
    tenants: [{ name: 'acme', policy: 'of-acme' }],
  });
  const names = (live: ReturnType<typeof liveConfig>) => live.policies.map(({ name }) => name).sort();
  const live = liveConfig(begun, begun, read({ policies: [{ name: 'of-keys', caps: { n: 2 } }] }));
  assert.deepEqual(names(live), ['of-acme', 'of-keys', 'of-tenants']);
  assert.deepEqual(live.policies.find(({ name }) => name === 'of-keys')?.caps, { n: 2 });
  assert.deepEqual(names(liveConfig(begun, live, read({}))), ['of-acme', 'of-keys', 'of-tenants']);
});
