import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { parseRedisAddress } from '../../src/config/redis-address.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { recordingLog, redisConfig } from './ground.ts';

const plain = {
  kind: 'single',
  tls: false,
  username: undefined,
  password: undefined,
  database: 0,
  primaryName: '',
} as const;

test('each form of address means what it says', () => {
  const expected = {
    'redis://redis': { ...plain, hosts: [{ host: 'redis', port: 6379 }] },
    'redis://:p%40ss@[::1]:6380/3': {
      ...plain,
      hosts: [{ host: '::1', port: 6380 }],
      password: 'p@ss',
      database: 3,
    },
    'rediss://user:a:b@redis.example.com:6380/': {
      ...plain,
      tls: true,
      hosts: [{ host: 'redis.example.com', port: 6380 }],
      username: 'user',
      password: 'a:b',
    },
    'redis+sentinel://u:p@a:1,b/my-main?db=2': {
      ...plain,
      kind: 'sentinel',
      hosts: [
        { host: 'a', port: 1 },
        { host: 'b', port: 26379 },
      ],
      username: 'u',
      password: 'p',
      database: 2,
      primaryName: 'my-main',
    },
    'rediss+cluster://a:7000,[fd00::1]:7001': {
      ...plain,
      kind: 'cluster',
      tls: true,
      hosts: [
        { host: 'a', port: 7000 },
        { host: 'fd00::1', port: 7001 },
      ],
    },
  };
  for (const [text, address] of Object.entries(expected)) {
    assert.deepEqual(parseRedisAddress(text), { ok: true, address }, text);
  }
});

test('a faulty address is reported with a remedy and without the password', () => {
  const faulty = [
    'http://:hush@redis',
    'redis://:hush@a:1,b:2',
    'redis://:hush@redis/main',
    'redis://:hush@redis:65536',
    'redis://:hush@redis?db=1',
    'redis://:hu%sh@redis',
    'redis://:hush@',
    'redis+sentinel://:hush@a:26379',
    'redis+sentinel://:hush@a:26379/main?db=x',
    'redis+sentinel://:hush@a:26379, b:26379/main',
    'redis+cluster://:hush@a:1,b:2/0',
    'redis+cluster://:hush@a:1,,b:2',
    `redis+cluster://:hush@${'a,'.repeat(100)}a`,
  ];
  for (const text of faulty) {
    const loaded = loadConfig({
      env: {
        SLUICE_SECRET: 'a secret of at least 32 characters',
        REDIS_URL: text,
        UPSTREAM_URL: 'http://gpu',
      },
    });
    assert.ok(!loaded.ok, text);
    const [fault, ...more] = loaded.faults;
    assert.equal(more.length, 0, text);
    assert.equal(fault?.path, 'redis.url');
    assert.ok((fault?.remedy.length ?? 0) > 5, text);
    assert.doesNotMatch(JSON.stringify(fault), /hush|hu%sh/, text);
  }
});

test('the password of the Sentinels comes from its variable or a file, is never shown, and may not stand in the file', () => {
  const env = { SLUICE_SECRET: 'a secret of at least 32 characters', UPSTREAM_URL: 'http://gpu' };
  const loaded = loadConfig({
    env: { ...env, REDIS_SENTINEL_PASSWORD_FILE: '/run/password' },
    readFile: () => 'hush\n',
  });
  assert.equal(loaded.ok && loaded.config.redis.sentinel_password, 'hush');
  const unfit = loadConfig({ env: { ...env, REDIS_SENTINEL_PASSWORD: 'hush hush' } });
  assert.ok(!unfit.ok && !JSON.stringify(unfit.faults).includes('hush'));
  const inFile = loadConfig({
    env: { ...env, SLUICE_CONFIG: 'sluice.yaml' },
    readFile: () => 'redis: { sentinel_password: hush }',
  });
  assert.ok(!inFile.ok && /must not stand in the file/.test(JSON.stringify(inFile.faults)));
  assert.doesNotMatch(JSON.stringify(inFile), /hush/);
});

test('an authority file that cannot be read is said so before anything connects', () => {
  const config = redisConfig('rediss://:hush@redis', { tls_ca_file: '/nowhere/ca.pem' });
  assert.throws(
    () => connectRedis(config, recordingLog().log),
    (error: Error) => /redis\.tls_ca_file.*ENOENT/.test(error.message) && !error.message.includes('hush'),
  );
});
