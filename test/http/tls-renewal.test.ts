/** A certificate that is renewed comes into force while streams go on; one that cannot serve changes nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { test } from 'node:test';
import { startGateway, until } from '../support/gateway.ts';
import { missingPrograms } from '../support/programs.ts';
import { bearer, chat } from './client.ts';
import { startTlsGround } from './tls-ground.ts';

const skip = missingPrograms('openssl');

test('a renewed certificate serves from SIGHUP on, and no stream is cut, nor by the drain behind it', {
  skip,
}, async (t) => {
  let finish = () => {};
  const ground = await startTlsGround(
    t,
    () => ({}),
    (_request, response) => {
      response.setHeader('content-type', 'text/event-stream');
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'Good' } }] })}\n\n`);
      finish = () => response.end('data: [DONE]\n\n');
    },
  );
  const { gateway, authority } = ground;
  const shown = async () => {
    const socket = await ground.connect();
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const linesWith = async (text: string) =>
    (await gateway.logText()).split('\n').filter((line) => line.includes(text));
  const first = await shown();

  const { hostname: host, port } = new URL(gateway.url);
  const headers = bearer(gateway.key);
  const outgoing = request({
    host,
    port,
    path: '/v1/chat/completions',
    method: 'POST',
    headers,
    ca: authority.cert,
  });
  outgoing.end(chat({ stream: true }));
  const [stream] = await once(outgoing, 'response');
  let heard = '';
  stream.on('data', (piece: Buffer) => {
    heard += piece.toString();
  });
  await until(() => heard.includes('Good'), 'the first token');

  const second = await authority.issue('gateway', 30);
  await ground.renew({ cert: second.cert });
  gateway.process.kill('SIGHUP');
  await until(async () => (await linesWith('belongs to another certificate')).length > 0, 'the refusal');
  assert.equal(await shown(), first, 'a certificate without its key changes nothing');

  await ground.renew({ key: second.key });
  gateway.process.kill('SIGHUP');
  await until(async () => (await linesWith('certificate read anew')).length > 0, 'the renewal');
  const renewed = await shown();
  assert.notEqual(renewed, first);
  const ends = await gateway.metric('sluice_tls_certificate_expires_timestamp_seconds');
  assert.ok(ends < Date.now() / 1_000 + 31 * 86_400, 'the metric is that of the new one');

  await ground.renew({ cert: 'nothing' });
  gateway.process.kill('SIGHUP');
  await until(async () => (await linesWith('no certificate in PEM')).length > 0, 'the second refusal');
  assert.equal(await shown(), renewed);

  const ended = once(gateway.process, 'exit');
  gateway.process.kill('SIGTERM');
  await until(async () => (await linesWith('"phase":"wait"')).length > 0, 'the drain');
  assert.doesNotMatch(heard, /DONE/);
  finish();
  await once(stream, 'end');
  assert.match(heard, /data: \[DONE\]\n\n$/);
  assert.deepEqual(await ended, [0, null]);
  assert.doesNotMatch(await gateway.logText(), /PRIVATE KEY/);
});

test('a gateway does not start with files that cannot serve', { skip }, async () => {
  const tls = { cert_file: '/nowhere/server.pem', key_file: '/nowhere/server.key' };
  await assert.rejects(startGateway({ config: { listen: { tls } } }), /did not start/);
});
