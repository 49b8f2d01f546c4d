/** The keys of an issuer: found, rotated, kept for a while when it is away, and never asked for more than need be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fetch, KeysUnavailable, RemoteKeys } from '../../../src/admission/jwt/issuer-keys.ts';
import { fetchDocument } from '../../../src/upstream/document.ts';
import { parseHosts } from '../../../src/upstream/media-fetch.ts';
import { quiet, until } from '../ground.ts';
import { openTokens } from './ground.ts';
import { type SigningKey, signingKey, startIssuer, type TestIssuer } from './issuer.ts';

const REFRESH_MS = 300_000;
const STALE_MS = 3_600_000;

/** With a clock of its own. */
function keysOf(issuer: TestIssuer, jwksUrl?: string, hosts = [new URL(issuer.url).host]) {
  const clock = { nowMs: 1_000_000 };
  const fetch: Fetch = (url, bounds) => fetchDocument(url, { ...bounds, hosts: parseHosts(hosts) });
  const keys = new RemoteKeys({
    ...{ issuer: issuer.url, jwksUrl, refreshMs: REFRESH_MS, staleMs: STALE_MS, fetch, log: quiet },
    now: () => clock.nowMs,
  });
  const find = ({ kid, alg }: SigningKey) =>
    keys.find({ alg, kid }, { payload: '', signature: '' }).then(
      () => 'found',
      (error) => (error instanceof KeysUnavailable ? 'unavailable' : 'unknown'),
    );
  return { keys, clock, find };
}

async function issuerFor(t: { after(end: () => Promise<void>): void }) {
  const issuer = await startIssuer();
  t.after(() => issuer.stop());
  return issuer;
}

test('an issuer that rotates its keys: the new one is found at once, the old one goes when it is gone', async (t) => {
  const { ask, issuer } = await openTokens(t);
  const old = await issuer.token();
  assert.equal(await ask(old), 'ok');
  const [first] = issuer.keys as [SigningKey];
  const second = await signingKey('ES256');
  issuer.keys = [second, first];
  assert.equal(await ask(await issuer.token()), 'ok', 'a kid that nobody knew');
  assert.equal(await ask(old), 'ok');
});

test('a key that is withdrawn: tokens that it has signed end with it, also those in memory', async (t) => {
  const { ask, issuer } = await openTokens(t);
  const old = await issuer.token();
  assert.equal(await ask(old), 'ok');
  issuer.keys = [await signingKey()];
  assert.equal(await ask(await issuer.token()), 'ok');
  assert.equal(await ask(old), '401 token: unknown signing key');
});

test('keys that have changed are told by another number', async (t) => {
  const issuer = await issuerFor(t);
  const { keys, clock, find } = keysOf(issuer);
  const [first] = issuer.keys as [SigningKey];
  assert.equal(await find(first), 'found');
  const { generation } = keys;
  const second = await signingKey();
  issuer.keys = [second];
  clock.nowMs += 20_000;
  assert.equal(await find(second), 'found');
  assert.ok(keys.generation > generation, 'what is in memory is verified anew');
  assert.equal(await find(first), 'unknown');
});

test('unknown key ids, however many: the issuer is asked once in ten seconds', async (t) => {
  const issuer = await issuerFor(t);
  const { find, clock } = keysOf(issuer, `${issuer.url}/keys`);
  const [first] = issuer.keys as [SigningKey];
  assert.equal(await find(first), 'found');
  const guesses = Array.from({ length: 50 }, (_, index) => ({ ...first, kid: `guess-${index}` }));
  assert.deepEqual(new Set(await Promise.all(guesses.map(find))), new Set(['unknown']));
  for (const guess of guesses) await find(guess);
  assert.equal(issuer.asked.length, 2);
  clock.nowMs += 10_000;
  await find(guesses[0] as SigningKey);
  assert.equal(issuer.asked.length, 3);
});

test('an issuer that is away: its keys serve for an hour, then nobody can tell, until it is back', async (t) => {
  const issuer = await issuerFor(t);
  const { find, clock } = keysOf(issuer);
  const [first] = issuer.keys as [SigningKey];
  assert.equal(await find(first), 'found');
  issuer.answer = (_, response) => response.writeHead(503).end();
  clock.nowMs += REFRESH_MS + STALE_MS;
  assert.equal(await find(first), 'found');
  clock.nowMs += 1;
  assert.equal(await find(first), 'unavailable');
  const count = issuer.asked.length;
  assert.equal(await find(first), 'unavailable');
  assert.equal(issuer.asked.length, count, 'not asked by each call');
  issuer.answer = undefined;
  clock.nowMs += 1_000;
  assert.equal(await find(first), 'found');
});

test('an issuer that does not answer: 503 within two seconds, for all who wait together', async (t) => {
  const { ask, issuer, way } = await openTokens(t);
  await until(() => issuer.asked.length >= 2);
  way.stop();
  const { find } = keysOf(issuer);
  issuer.answer = () => undefined;
  const begunMs = performance.now();
  const [first] = issuer.keys as [SigningKey];
  const found = await Promise.all(Array.from({ length: 20 }, () => find(first)));
  const tookMs = performance.now() - begunMs;
  assert.deepEqual(new Set(found), new Set(['unavailable']));
  assert.ok(tookMs < 6_000, `${tookMs} ms`);
  assert.equal(await ask(await issuer.token()), 'ok', 'whose keys are known is not held up');
});

test('what is no answer of an issuer is not believed', async (t) => {
  const issuer = await issuerFor(t);
  const elsewhere = await issuerFor(t);
  const [first] = issuer.keys as [SigningKey];
  elsewhere.keys = issuer.keys;
  const answers: ((path: string) => [number, string, string?])[] = [
    () => [302, '', `${elsewhere.url}/keys`],
    () => [200, `{"keys":[${' '.repeat(300_000)}]}`],
    () => [200, 'no JSON'],
    () => [200, '[]'],
    () => [200, JSON.stringify({ keys: Array.from({ length: 101 }, () => first.jwk) })],
  ];
  for (const answer of answers) {
    issuer.answer = ({ url = '' }, response) => {
      const [status, body, location] = answer(url);
      response.writeHead(status, { ...(location && { location }) }).end(body);
    };
    assert.equal(await keysOf(issuer, `${issuer.url}/keys`).find(first), 'unavailable');
  }
  issuer.answer = ({ url }, response) => {
    const other = { issuer: 'https://other.example', jwks_uri: `${issuer.url}/keys` };
    response.end(JSON.stringify(url === '/keys' ? { keys: [first.jwk] } : other));
  };
  assert.equal(await keysOf(issuer).find(first), 'unavailable', 'discovery of another issuer');
  issuer.answer = (_, response) => {
    response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: `${elsewhere.url}/keys` }));
  };
  assert.equal(
    await keysOf(issuer).find(first),
    'unavailable',
    'keys at an inside host that nobody has named',
  );
  assert.deepEqual(elsewhere.asked, []);
  issuer.answer = undefined;
  const asked = issuer.asked.length;
  assert.equal(
    await keysOf(issuer, undefined, []).find(first),
    'unavailable',
    'plain http is for listed hosts',
  );
  assert.equal(issuer.asked.length, asked);
});

test('a secret among the public keys is passed over', async (t) => {
  const { ask, issuer } = await openTokens(t);
  const [first] = issuer.keys as [SigningKey];
  const oct = {
    kty: 'oct',
    k: Buffer.from('x'.repeat(32)).toString('base64url'),
    kid: 'shared',
    alg: 'HS256',
  };
  issuer.keys = [{ ...first, jwk: oct }, first];
  assert.equal(await ask(await issuer.token({}, {}, first)), 'ok');
});
