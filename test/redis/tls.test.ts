import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { connectRedis } from '../../src/redis/connection.ts';
import { until } from '../support/gateway.ts';
import { freePort, startRedis } from '../support/redis.ts';
import { connected, listen, recordingLog, redisConfig, runTicket } from './ground.ts';

const run = promisify(execFile);

/** All that a gateway asks of Redis, and nothing else. */
const rules = [
  ...['on', '>hush', 'resetkeys', '~sluice:*', 'resetchannels', '&sluice:*', '-@all'],
  ...['+hello', '+auth', '+ping', '+info', '+select', '+wait'],
  ...['+cluster|slots', '+cluster|info', '+readonly', '+readwrite', '+asking'],
  ...['+eval', '+evalsha', '+time', '+exists', '+expire', '+pexpireat', '+del', '+publish', '+subscribe'],
  ...['+get', '+set', '+mget', '+hget', '+hmget', '+hset', '+hdel', '+hincrby', '+hgetall', '+hlen'],
  ...['+sadd', '+smembers', '+srem', '+xadd', '+xrevrange', '+xrange', '+xlen'],
  ...['+zadd', '+zcard', '+zrange', '+zrank', '+zrem', '+zremrangebyscore', '+zscan'],
];

/** An authority of our own, and a certificate of it for 127.0.0.1. */
async function makeCertificates(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const openssl = (...parameters: string[]) => run('openssl', parameters, { cwd: folder });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await openssl(
    ...[
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '2',
      '-subj',
      '/CN=authority',
    ],
  );
  await openssl('req', ...newKey, '-keyout', 'redis.key', '-out', 'redis.csr', '-subj', '/CN=redis');
  await writeFile(join(folder, 'names'), 'subjectAltName=IP:127.0.0.1');
  await openssl(
    ...['x509', '-req', '-in', 'redis.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-out', 'redis.pem', '-days', '2', '-extfile', 'names'],
  );
  return {
    authority: join(folder, 'ca.pem'),
    certificate: join(folder, 'redis.pem'),
    key: join(folder, 'redis.key'),
  };
}

test('over TLS, with a user who may do just what a gateway needs, all of it works', async (t) => {
  const { authority, certificate, key } = await makeCertificates(t);
  const tlsPort = await freePort();
  const redis = await startRedis({
    extra: [
      ...['--tls-port', String(tlsPort), '--tls-cert-file', certificate, '--tls-key-file', key],
      ...['--tls-ca-cert-file', authority, '--tls-auth-clients', 'no', '--user', 'gateway', ...rules],
    ],
  });
  t.after(() => redis.stop());
  const url = `rediss://gateway:hush@127.0.0.1:${tlsPort}`;

  const connection = await connected(t, redisConfig(url, { tls_ca_file: authority }));
  assert.equal(await runTicket(connection, 'acme', 1), 'open');
  const { keys } = connection;
  const ear = listen(connection, keys.invalidations());
  t.after(() => ear.close());
  await until(() => ear.times > 0);
  const record = keys.tenant('acme');
  const meta = keys.meta('acme');
  const written = await connection.durable(
    (client) => client.replaceRecord(record, meta, 0, '{}', keys.invalidations(), 'changed'),
    record,
  );
  assert.ok(written.ok);
  const swept = await connection.ask((client) => client.sweep(keys.root('acme'), 10), 'sweep');
  assert.ok(swept.ok);
  const foreign = await connection.ask((client) => client.get('other:x'));
  assert.ok(!foreign.ok, 'keys of others are out of reach');

  const { lines, log } = recordingLog();
  const distrustful = connectRedis(redisConfig(url), log);
  t.after(() => distrustful.close());
  await until(() => lines.length > 0);
  assert.match(lines.join(''), /certificate/, 'without the authority the certificate is not believed');
  assert.equal(distrustful.wasReached(), false);
  assert.doesNotMatch(lines.join(''), /hush/);
});
