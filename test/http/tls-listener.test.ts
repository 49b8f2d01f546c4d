/** A listener that speaks TLS itself serves all that a plain one serves, and nobody who speaks less. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import type { SecureVersion } from 'node:tls';
import { until } from '../support/gateway.ts';
import { missingPrograms } from '../support/programs.ts';
import { assertRefused, bearer, chat, readReply, speak } from './client.ts';
import { startTlsGround, type TlsGround } from './tls-ground.ts';

const skip = missingPrograms('openssl');
const HEADER_TIMEOUT_MS = 500;
const LATE_MS_MAX = 3_000;

let ground: TlsGround;
const afters: (() => unknown)[] = [];

before(async () => {
  if (skip) return;
  ground = await startTlsGround({ after: (end) => afters.push(end as () => unknown) }, () => ({
    header_timeout_ms: HEADER_TIMEOUT_MS,
    body_timeout_ms: 60_000,
  }));
});

after(async () => {
  for (const end of afters.reverse()) await end();
});

test('answers, streams and jobs come over HTTPS as over HTTP', { skip }, async () => {
  assert.match(ground.gateway.url, /^https:/);
  const headers = bearer(ground.gateway.key);
  const whole = await ground.ask({ ...post, headers, body: chat() });
  assert.equal(whole.status, 200, whole.body.toString());
  assert.match(whole.body.toString(), /Good day/);
  const stream = await ground.ask({ ...post, headers, body: chat({ stream: true }) });
  assert.match(String(stream.headers['content-type']), /^text\/event-stream/);
  assert.match(stream.body.toString(), /Good day[\s\S]*data: \[DONE\]\n\n$/);
  const job = await ground.ask({ ...post, headers: { ...headers, prefer: 'respond-async' }, body: chat() });
  assert.equal(job.status, 202, job.body.toString());
  const seen = await ground.ask({ path: String(job.headers.location), headers });
  assert.equal(seen.status, 200);
  const [line] = await ground.gateway.logLines(1);
  assert.equal(line?.address, '127.0.0.1');
});

test('a connection serves one request after the other', { skip }, async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number>();
  agent.on('free', (socket) => ports.add(socket.localPort));
  for (let count = 0; count < 3; count += 1) {
    const { status } = await ground.ask({ path: '/health', agent });
    assert.equal(status, 200);
  }
  agent.destroy();
  assert.equal(ports.size, 1);
});

test('TLS 1.2 and 1.3 are spoken, nothing older', { skip }, async () => {
  const versionOf = async (version: SecureVersion) => {
    const weak = version < 'TLSv1.2' && { ciphers: 'DEFAULT@SECLEVEL=0' };
    const socket = await ground.connect({ minVersion: version, maxVersion: version, ...weak });
    const agreed = socket.getProtocol();
    socket.destroy();
    return agreed;
  };
  assert.equal(await versionOf('TLSv1.2'), 'TLSv1.2');
  assert.equal(await versionOf('TLSv1.3'), 'TLSv1.3');
  for (const old of ['TLSv1', 'TLSv1.1'] as const) {
    await assert.rejects(versionOf(old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  }
});

test('who offers HTTP/2 as well gets HTTP/1.1, who offers nothing else is told', { skip }, async () => {
  const both = await ground.connect({ ALPNProtocols: ['h2', 'http/1.1'] });
  assert.equal(both.alpnProtocol, 'http/1.1');
  both.destroy();
  await assert.rejects(ground.connect({ ALPNProtocols: ['h2'] }), {
    code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  });
});

test('plain HTTP gets 400 that names the remedy, and a line in the log without a stack', {
  skip,
}, async () => {
  const heard = await speak(ground.gateway.url, 'GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n');
  const reply = readReply(heard);
  assert.match(assertRefused(reply, 'bad_http').message, /https:\/\//);
  const id = String(reply.headers['x-request-id']);
  await until(async () => (await ground.gateway.logText()).includes(id), 'its line');
  const line = (await ground.gateway.logText()).split('\n').find((one) => one.includes(id));
  const { error, address, reason } = JSON.parse(line ?? '{}');
  assert.deepEqual([error, address, reason], ['bad_http', '127.0.0.1', 'ERR_SSL_HTTP_REQUEST']);
  assert.doesNotMatch(await ground.gateway.logText(), /"stack"|node:internal/);
});

test('what is neither TLS nor HTTP is closed without a word, and others are served', { skip }, async () => {
  const unknown = async () => (await ground.gateway.logText()).split('"route":"unknown"').length;
  const before = await unknown();
  assert.doesNotMatch(await speak(ground.gateway.url, Buffer.alloc(64, 0xff)), /HTTP/);
  const headers = { 'x-request-id': 'behind-the-noise' };
  assert.equal((await ground.ask({ path: '/health', headers })).status, 200);
  await until(
    async () => (await ground.gateway.logText()).includes('behind-the-noise'),
    'the line behind it',
  );
  assert.equal(await unknown(), before);
});

test('a handshake that does not come to an end, and headers that do not, are cut on time', {
  skip,
}, async () => {
  const { hostname, port } = new URL(ground.gateway.url);
  const silent = connect(Number(port), hostname).on('error', () => undefined);
  silent.resume();
  const silentSinceMs = performance.now();
  const slow = await ground.connect();
  slow.resume().on('error', () => undefined);
  slow.write('GET /health HTTP/1.1\r\n');
  const slowSinceMs = performance.now();
  await Promise.all([once(silent, 'close'), once(slow, 'close')]);
  for (const tookMs of [performance.now() - silentSinceMs, performance.now() - slowSinceMs])
    assert.ok(tookMs >= HEADER_TIMEOUT_MS && tookMs < HEADER_TIMEOUT_MS + LATE_MS_MAX, `${tookMs} ms`);
});

test('the metrics say when the certificate ends', { skip }, async () => {
  const socket = await ground.connect();
  const { valid_to } = socket.getPeerCertificate();
  socket.destroy();
  const ends = await ground.gateway.metric('sluice_tls_certificate_expires_timestamp_seconds');
  assert.equal(ends, Date.parse(valid_to) / 1_000);
});

const post = { path: '/v1/chat/completions', method: 'POST' };
