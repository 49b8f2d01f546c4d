/** The files of a certificate: looked at again and again, taken as a whole or not at all, refused with a reason. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { ListenerTls } from '../../src/http/tls.ts';
import { makeAuthority, type Pair, temporaryFolder } from '../support/certificates.ts';
import { until } from '../support/gateway.ts';
import { missingPrograms } from '../support/programs.ts';

const skip = missingPrograms('openssl');
const DAY_MS = 86_400_000;

async function setUp(t: TestContext) {
  const folder = await temporaryFolder(t);
  const authority = await makeAuthority(folder, 'authority');
  const config = {
    cert_file: join(folder, 'server.pem'),
    key_file: join(folder, 'server.key'),
    client_ca_file: undefined as string | undefined,
    client_certificates: 'request' as const,
  };
  const write = async ({ cert, key }: Partial<Pair>) => {
    if (cert !== undefined) await writeFile(config.cert_file, cert);
    if (key !== undefined) await writeFile(config.key_file, key);
  };
  const said: { level: number; msg: string; problem?: string }[] = [];
  const log = pino({}, { write: (line: string) => said.push(JSON.parse(line)) });
  const clock = { nowMs: Date.now() };
  const open = (lookEveryMs = 60_000) =>
    ListenerTls.open({ config, handshakeMs: 1_000, lookEveryMs, wallMs: () => clock.nowMs, log });
  return { folder, authority, config, write, said, clock, open };
}

test('files that change are noticed without a signal', { skip }, async (t) => {
  const { authority, write, open } = await setUp(t);
  await write(await authority.issue('gateway', 90));
  const tls = await open(20);
  t.after(() => tls.stop());
  tls.watch(createServer(tls.serverOptions));
  const before = tls.endsAtMs;
  await write(await authority.issue('gateway', 30));
  await until(() => tls.endsAtMs < before, 'the new certificate');
});

test('a problem is said once, however often the files are looked at, and again when it comes back', {
  skip,
}, async (t) => {
  const { authority, write, said, open } = await setUp(t);
  const first = await authority.issue('gateway');
  await write(first);
  const tls = await open();
  await write({ cert: 'nothing' });
  await tls.look();
  await tls.look();
  assert.equal(said.length, 1);
  await write(first);
  await tls.look();
  assert.equal(said.length, 1, 'what was there before is no news');
  await write({ key: 'nothing' });
  await tls.look();
  assert.deepEqual(
    said.map(({ msg, problem }) => [msg, problem]),
    [
      [
        'certificate not taken; the old one stays',
        'listen.tls.cert_file: there is no certificate in PEM in it',
      ],
      [
        'certificate not taken; the old one stays',
        'listen.tls.key_file: there is no private key in PEM without a passphrase in it',
      ],
    ],
  );
});

test('one that has ended, or does not hold yet, does not take the place of one that serves', {
  skip,
}, async (t) => {
  const { authority, write, said, clock, open } = await setUp(t);
  await write(await authority.issue('gateway', 90));
  const tls = await open();
  const before = tls.endsAtMs;
  await write(await authority.issue('gateway', 1));
  clock.nowMs += 2 * DAY_MS;
  await tls.look();
  assert.equal(tls.endsAtMs, before);
  assert.match(said.at(-1)?.problem ?? '', /has ended/);
  clock.nowMs -= 3 * DAY_MS;
  await tls.look();
  assert.equal(tls.endsAtMs, before);
  assert.match(said.at(-1)?.problem ?? '', /does not hold before/);
  clock.nowMs += 1.5 * DAY_MS;
  await tls.look();
  assert.notEqual(tls.endsAtMs, before, 'it holds now');
});

test('from fourteen days before its end the log reminds of it once a day', { skip }, async (t) => {
  const { authority, write, said, clock, open } = await setUp(t);
  await write(await authority.issue('gateway', 90));
  const tls = await open();
  t.after(() => tls.stop());
  tls.watch(createServer(tls.serverOptions));
  clock.nowMs = tls.endsAtMs - 14.1 * DAY_MS;
  await tls.look();
  assert.equal(said.length, 0);
  for (const daysLeft of [13.9, 13.8, 12.5, -0.5]) {
    clock.nowMs = tls.endsAtMs - daysLeft * DAY_MS;
    await tls.look();
  }
  assert.deepEqual(
    said.map(({ msg }) => msg),
    ['certificate ends soon', 'certificate ends soon', 'certificate has ended'],
  );
});

test('what cannot serve is refused with the setting and the problem, and no key is repeated', {
  skip,
}, async (t) => {
  const { folder, authority, config, write, open } = await setUp(t);
  const pair = await authority.issue('gateway');
  const other = await authority.issue('another');
  const lonely = `${pair.cert}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`;
  const bad: [Partial<Pair>, RegExp][] = [
    [{ cert: 'no', key: pair.key }, /^listen\.tls\.cert_file: there is no certificate/],
    [{ cert: pair.cert, key: 'no' }, /^listen\.tls\.key_file: there is no private key/],
    [{ cert: pair.cert, key: other.key }, /^listen\.tls\.key_file: belongs to another certificate/],
    [{ cert: lonely, key: pair.key }, /^listen\.tls\.cert_file: OpenSSL does not take/],
  ];
  for (const [files, message] of bad) {
    await write(files);
    await assert.rejects(open(), { message });
  }
  await write(pair);
  config.client_ca_file = join(folder, 'none.pem');
  await assert.rejects(open(), {
    message: /^listen\.tls\.client_ca_file: the file cannot be read \(ENOENT\)/,
  });
  await writeFile(config.client_ca_file, 'no');
  await assert.rejects(open(), { message: /^listen\.tls\.client_ca_file: there is no certificate/ });
  config.client_ca_file = authority.certFile;
  await open();
});
