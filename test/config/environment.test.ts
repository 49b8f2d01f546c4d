import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatFault } from '../../src/config/fault.ts';
import { loadConfig } from '../../src/config/load.ts';

const secret = 'a secret of at least 32 characters';

function load(env: Record<string, string>, files: Record<string, string> = {}) {
  const readFile = (path: string) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
    return text;
  };
  return loadConfig({ env, readFile });
}

function configOf(...parameters: Parameters<typeof load>) {
  const loaded = load(...parameters);
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.faults.map(formatFault).join('\n'));
  return loaded.config;
}

function faultsOf(...parameters: Parameters<typeof load>): string[] {
  const loaded = load(...parameters);
  return loaded.ok ? [] : loaded.faults.map(formatFault);
}

test('every variable reaches its place', () => {
  const config = configOf({
    SLUICE_SECRET: secret,
    REDIS_URL: 'rediss://:password@redis:6380',
    QUEUE_REDIS_URL: 'redis://:another@queue',
    REDIS_PREFIX: 'staging',
    HOST: '127.0.0.1',
    PORT: '9080',
    ADMIN_HOST: '0.0.0.0',
    ADMIN_PORT: '9081',
    SLUICE_ADMIN_TOKEN: 'a token of the admin'.replaceAll(' ', '-'),
    UPSTREAM_URL: 'http://gpu:8000/',
    UPSTREAM_API_KEY: 'key-of-the-server',
    SLUICE_KEYS: 'acme=key-with=sign, beta=another-key',
    TRUSTED_PROXIES: '10.0.0.0/8, fd00::1',
    SLUICE_TLS_CERT_FILE: '/etc/sluice/tls.crt',
    SLUICE_TLS_KEY_FILE: '/etc/sluice/tls.key',
    LOG_LEVEL: 'warn',
    LOG_FILE: '/tmp/log',
  });
  assert.equal(config.secret, secret);
  assert.equal(config.redis.url, 'rediss://:password@redis:6380');
  assert.equal(config.queue.redis_url, 'redis://:another@queue');
  assert.equal(config.redis.prefix, 'staging');
  assert.deepEqual([config.listen.host, config.listen.port], ['127.0.0.1', 9080]);
  assert.deepEqual([config.admin.host, config.admin.port], ['0.0.0.0', 9081]);
  assert.equal(config.admin.token, 'a-token-of-the-admin');
  assert.deepEqual(config.upstreams, [
    {
      name: 'default',
      url: 'http://gpu:8000',
      api_key: 'key-of-the-server',
      discover: true,
      gpus: 1,
      load_metrics: '/metrics',
      labels: {},
      health: { path: '/health', timeout_ms: 1_000 },
    },
  ]);
  assert.deepEqual(config.keys.environment, [
    { tenant: 'acme', key: 'key-with=sign' },
    { tenant: 'beta', key: 'another-key' },
  ]);
  assert.deepEqual(config.listen.trusted_proxies, ['10.0.0.0/8', 'fd00::1']);
  assert.deepEqual(config.listen.tls, {
    cert_file: '/etc/sluice/tls.crt',
    key_file: '/etc/sluice/tls.key',
    client_certificates: 'request',
  });
  assert.deepEqual(config.log, { level: 'warn', file: '/tmp/log' });
});

test('the environment wins over the file, the file over the defaults, and an empty variable counts as unset', () => {
  const loaded = loadConfig({
    env: { SLUICE_SECRET: secret, SLUICE_CONFIG: 'file', PORT: '1', LOG_LEVEL: '', UPSTREAM_URL: 'http://b' },
    readFile: () =>
      'listen: {port: 2, host: 127.0.0.2}\nlog: {level: warn}\nupstreams: [{name: a, url: http://a}]',
    defaults: { listen: { port: 3, host: '127.0.0.3', body_limit_bytes: 5000 }, log: { level: 'fatal' } },
  });
  assert.ok(loaded.ok);
  const { listen, log, upstreams } = loaded.config;
  assert.deepEqual([listen.port, listen.host, listen.body_limit_bytes], [1, '127.0.0.2', 5000]);
  assert.equal(log.level, 'warn');
  assert.deepEqual(
    upstreams.map(({ name }) => name),
    ['a', 'default'],
  );
});

test('a secret may come from a file, whose last line end does not count', () => {
  const files = { '/run/secret': `${secret}\r\n`, '/run/keys': 'acme=key-number-one\nbeta=key-number-two\n' };
  const config = configOf({ SLUICE_SECRET_FILE: '/run/secret', SLUICE_KEYS_FILE: '/run/keys' }, files);
  assert.equal(config.secret, secret);
  assert.equal(config.keys.environment.length, 2);
});

test('a secret that is given twice, or whose file is empty or absent, is a fault of its own', () => {
  const env = {
    SLUICE_SECRET: secret,
    SLUICE_SECRET_FILE: '/run/secret',
    SLUICE_ADMIN_TOKEN_FILE: '/run/empty',
    REDIS_URL_FILE: '/run/absent',
  };
  assert.deepEqual(faultsOf(env, { '/run/secret': secret, '/run/empty': '\n' }), [
    'REDIS_URL_FILE redis.url: the file cannot be read (ENOENT). Remedy: check path and rights.',
    'SLUICE_SECRET_FILE secret: SLUICE_SECRET is set as well. Remedy: keep one of the two.',
    'SLUICE_ADMIN_TOKEN_FILE admin.token: the file is empty. Remedy: put the secret into it.',
  ]);
});

test('a bad variable is named with its problem, and a secret in it is not shown', () => {
  const lines = faultsOf({
    PORT: 'eight',
    ADMIN_PORT: '70000',
    LOG_LEVEL: 'inf',
    TRUSTED_PROXIES: '10.0.0.0/8,nginx',
    REDIS_URL: 'http://:hunter2@redis',
    SLUICE_ADMIN_TOKEN: 'hunter2',
    SLUICE_KEYS: 'acme=hunter2-hunter2,beta=hunter2-hunter2,hunter2',
    UPSTREAM_URL: 'http://me:hunter2@gpu',
    UPSTREAM_API_KEY: 'hunter2 hunter2',
  });
  const sources = lines.map((line) => line.split(':')[0]);
  assert.deepEqual(sources.sort(), [
    'ADMIN_PORT admin.port',
    'LOG_LEVEL log.level',
    'PORT listen.port',
    'REDIS_URL redis.url',
    'SLUICE_ADMIN_TOKEN admin.token',
    'SLUICE_KEYS keys.environment',
    'SLUICE_SECRET secret',
    'TRUSTED_PROXIES listen.trusted_proxies[1]',
    'UPSTREAM_API_KEY upstreams[0].api_key',
    'UPSTREAM_URL upstreams[0].url',
  ]);
  assert.ok(!lines.join().includes('hunter2'));
  assert.deepEqual(faultsOf({ SLUICE_SECRET: secret, SLUICE_KEYS: 'a=hunter2-hunter2,b=hunter2-hunter2' }), [
    'SLUICE_KEYS keys.environment[1]: is the same key as that of entry 1. Remedy: give each entry a key of its own.',
  ]);
});

test('the key of an upstream comes from the variable that the file names, or from its file', () => {
  const yaml =
    'upstreams: [{name: a, url: http://a, api_key_env: A_KEY}, {name: b, url: http://b, api_key_env: UPSTREAM_API_KEY}]';
  const env = { SLUICE_SECRET: secret, SLUICE_CONFIG: 'file', A_KEY_FILE: '/run/a', UPSTREAM_API_KEY: 'b' };
  const config = configOf(env, { file: yaml, '/run/a': 'key-a\n' });
  assert.deepEqual(
    config.upstreams.map(({ api_key }) => api_key),
    ['key-a', 'b'],
  );
});

test('a key for an upstream that is not there is a fault, and so is a port shared by both listeners', () => {
  const lines = faultsOf({ SLUICE_SECRET: secret, UPSTREAM_API_KEY: 'key', PORT: '8081' });
  assert.match(lines.join('\n'), /^UPSTREAM_API_KEY: there is no upstream/m);
  assert.match(lines.join('\n'), /^PORT listen.port: public and admin listener share port 8081/m);
  assert.equal(lines.length, 2);
  assert.deepEqual(faultsOf({ SLUICE_SECRET: secret, PORT: '0', ADMIN_PORT: '0' }), []);
});

test('no upstream, an unused upstream, a proxy range that holds everyone and a misspelt variable are warnings', () => {
  const warningsOf = (env: Record<string, string>, yaml: string) => {
    const loaded = load({ SLUICE_SECRET: secret, SLUICE_CONFIG: 'file', ...env }, { file: yaml });
    assert.ok(loaded.ok);
    return loaded.warnings.map(({ source, path }) => `${source} ${path}`.trim());
  };
  const env = { SLUICE_ADMIN_TOKN: 'x', TRUSTED_PROXIES: '0.0.0.0/0', SLUICE_SERVICE_PORT: '8080' };
  assert.deepEqual(warningsOf(env, ''), [
    'SLUICE_ADMIN_TOKN',
    'file upstreams',
    'TRUSTED_PROXIES listen.trusted_proxies[0]',
  ]);
  assert.deepEqual(warningsOf({}, 'upstreams: [{name: a, url: http://a}]'), ['file upstreams[0]']);
});

test('a file that is absent is one fault, beside those of the environment', () => {
  assert.deepEqual(faultsOf({ SLUICE_SECRET: secret, SLUICE_CONFIG: '/etc/none.yaml', PORT: 'x' }), [
    'SLUICE_CONFIG: /etc/none.yaml: the file cannot be read (ENOENT). Remedy: check path and rights.',
    'PORT listen.port: "x" is not a whole number. Remedy: write a whole number from 0 to 65535, or leave it out for 8080.',
  ]);
});

test('the configuration is frozen to its depths', () => {
  const yaml =
    'upstreams: [{name: a, url: http://a}]\nroutes: [{path: /p, upstream: a, body_schema: {required: [x]}}]';
  const { listen, routes } = configOf({ SLUICE_SECRET: secret, SLUICE_CONFIG: 'file' }, { file: yaml });
  assert.throws(() => Object.assign(listen, { port: 1 }), TypeError);
  const required = routes[0]?.body_schema?.required;
  assert.ok(Array.isArray(required) && Object.isFrozen(required));
});

test('without a reader of its own it reads from disk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
  const file = join(folder, 'sluice.yaml');
  writeFileSync(file, 'listen: {port: 1234}\n');
  const loaded = loadConfig({ env: { SLUICE_SECRET: secret, SLUICE_CONFIG: file } });
  assert.equal(loaded.ok && loaded.config.listen.port, 1234);
});
