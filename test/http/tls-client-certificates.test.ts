/** Certificates of clients: asked for, or wanted of everybody; what counts is the connection, never a header. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { makeAuthority, type Pair } from '../support/certificates.ts';
import { missingPrograms } from '../support/programs.ts';
import { assertRefused, bearer } from './client.ts';
import { startTlsGround, type TlsGround } from './tls-ground.ts';

const skip = missingPrograms('openssl');

let ground: TlsGround;
let client: Pair;
let stranger: Pair;
let strict: string;
const afters: (() => unknown)[] = [];
const context = { after: (end: unknown) => void afters.push(end as () => unknown) };

before(async () => {
  if (skip) return;
  ground = await startTlsGround(context, (_folder, { certFile }) => ({ tls: { client_ca_file: certFile } }));
  client = await ground.authority.issue('client');
  stranger = await (await makeAuthority(ground.folder, 'stranger')).issue('client');
  strict = (await ground.gateway.createKey({ require_client_certificate: true })).key;
});

after(async () => {
  for (const end of afters.reverse()) await end();
});

test('a key that demands a certificate is refused without one of the authority', { skip }, async () => {
  const { key } = ground.gateway;
  assert.equal((await ask(key)).status, 200, 'others need none');
  assert.equal((await ask(key, stranger)).status, 200, 'and may show any');
  assert.equal((await ask(strict, client)).status, 200);
  assertRefused(await ask(strict), 'invalid_api_key');
  assertRefused(await ask(strict, stranger), 'invalid_api_key');
});

test('no header stands for a certificate', { skip }, async () => {
  const claimed = {
    'ssl-client-verify': 'SUCCESS',
    'x-ssl-client-verify': 'SUCCESS',
    'x-client-cert': encodeURIComponent(client.cert),
    'x-forwarded-client-cert': 'Subject="CN=client"',
    'client-cert': ':AAAA:',
  };
  assertRefused(await ask(strict, undefined, claimed), 'invalid_api_key');
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  test(`${version}: each connection shows its certificate, none is taken up from one before`, {
    skip,
  }, async () => {
    const options = { minVersion: version, maxVersion: version };
    const first = await ground.connect({ ...options, ...client });
    let session = first.getSession();
    first.on('session', (fresh) => {
      session = fresh;
    });
    assert.equal(await statusOf(first, strict), 200);
    const second = await ground.connect({ ...options, ...(session && { session }) });
    assert.equal(second.isSessionReused(), false);
    assert.equal(await statusOf(second, strict), 401);
  });

test('where certificates are required nobody comes in without one of the authority', { skip }, async (t) => {
  const closed = await startTlsGround(t, (_folder, { certFile }) => ({
    tls: { client_ca_file: certFile, client_certificates: 'require' },
  }));
  const pair = await closed.authority.issue('client');
  assert.equal((await closed.ask({ path: '/health', pair })).status, 200);
  await assert.rejects(closed.ask({ path: '/health' }));
  await assert.rejects(closed.ask({ path: '/health', pair: stranger }));
  const lines = await closed.gateway.logLines(1);
  assert.equal(lines.length, 1, 'no request of theirs has begun');
});

function ask(key: string, pair?: Pair, headers: Record<string, string> = {}) {
  return ground.ask({ path: '/v1/models', headers: { ...bearer(key), ...headers }, ...(pair && { pair }) });
}

async function statusOf(socket: TLSSocket, key: string): Promise<number> {
  let heard = '';
  socket.on('data', (piece) => {
    heard += piece.toString();
  });
  socket.write(
    `GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key}\r\nConnection: close\r\n\r\n`,
  );
  await once(socket, 'close');
  return Number(heard.split(' ')[1]);
}
