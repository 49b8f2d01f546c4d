/** A token that its issuer has not made for this gateway, for now, is refused, whatever it says of itself. */
import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import type { JWTPayload } from 'jose';
import { askWay, openTokens } from './ground.ts';
import { claimsOf, rawToken, type SigningKey, signingKey, startIssuer } from './issuer.ts';

const now = () => Math.floor(Date.now() / 1_000);
/** Each of these tokens comes once; how guesses are limited is tested elsewhere. */
const anyNumber = { keys: { failed_lookups_per_minute: 0 } };

test('a good token is taken, also just behind its end and just before its beginning', async (t) => {
  const { ask, issuer } = await openTokens(t);
  assert.equal(await ask(await issuer.token()), 'ok');
  assert.equal(await ask(await issuer.token({ exp: now() - 20 })), 'ok', 'within the tolerance');
  assert.equal(await ask(await issuer.token({ nbf: now() + 20 })), 'ok', 'within the tolerance');
  assert.equal(await ask(await issuer.token({ aud: ['other', 'sluice'] })), 'ok');
});

test('claims that are wrong or missing', async (t) => {
  const { ask, issuer } = await openTokens(t, {}, anyNumber);
  const bad: [string, JWTPayload][] = [
    ['expired', { exp: now() - 60, iat: now() - 120 }],
    ['not valid yet', { nbf: now() + 60 }],
    ['issued in the future', { iat: now() + 60 }],
    ['lives too long', { exp: now() + 90_000 }],
    ['no expiry', { exp: undefined }],
    ['wrong audience', { aud: 'another' }],
    ['wrong audience', { aud: undefined }],
    ['no subject', { sub: undefined }],
    ['no subject', { sub: '' }],
    ['no subject', { sub: 'x'.repeat(300) }],
    ['no tenant', { tenant: undefined }],
    ['no tenant', { tenant: 'a/b' }],
    ['no tenant', { tenant: ['acme'] }],
    ['unknown issuer', { iss: 'https://login.example' }],
    ['unknown issuer', { iss: undefined }],
    ['unknown issuer', { iss: `${issuer.url}/` }],
  ];
  for (const [reason, claims] of bad) {
    assert.equal(await ask(await issuer.token(claims)), `401 token: ${reason}`);
  }
  assert.match(await ask(await issuer.token({ tenant: 'nobody' })), /^401 token: no such tenant jwt_\w{24}$/);
});

test('a signature of nobody, of somebody else, or of another text', async (t) => {
  const { ask, issuer } = await openTokens(t, {}, anyNumber);
  const stranger = await signingKey();
  const [known] = issuer.keys as [SigningKey];
  const good = await issuer.token();
  const [header, , signature] = good.split('.');
  const claims = claimsOf(issuer.url, { sub: 'mallory' });
  const other = rawToken({}, claims).split('.')[1];
  const wrong = '401 token: wrong signature';
  assert.equal(await ask(`${header}.${other}.${signature}`), wrong, 'claims of mine');
  assert.equal(await ask(await issuer.token({}, { kid: known.kid }, stranger)), wrong, 'under a known kid');
  assert.equal(await ask(await issuer.token({}, {}, stranger)), '401 token: unknown signing key');
  assert.equal(await ask(rawToken({ alg: 'RS256', kid: known.kid }, claims)), wrong, 'without signature');
  const none = '401 token: algorithm not allowed';
  for (const alg of ['none', 'None', 'NONE', 'nOnE'])
    assert.equal(await ask(rawToken({ alg }, claims)), none);
  assert.match(await ask(rawToken({ kid: known.kid }, claims)), /^401 token: /, 'no algorithm');
});

test('a public key is never taken for a secret', async (t) => {
  const { ask, issuer } = await openTokens(t, {}, anyNumber);
  const [known] = issuer.keys as [SigningKey];
  const publicKey = createPublicKey({ key: known.jwk, format: 'jwk' });
  const claims = claimsOf(issuer.url, { sub: 'mallory' });
  for (const type of ['spki', 'pkcs1'] as const) {
    const pem = publicKey.export({ type, format: 'pem' });
    for (const secret of [pem, String(pem).trim(), publicKey.export({ type, format: 'der' })]) {
      const header = { alg: 'HS256', kid: known.kid };
      const text = rawToken(header, claims).slice(0, -1);
      const forged = rawToken(header, claims, createHmac('sha256', secret).update(text).digest());
      assert.equal(await ask(forged), '401 token: algorithm not allowed');
    }
  }
});

test('keys that a token brings along, or points to, are not looked at', async (t) => {
  const { ask, issuer } = await openTokens(t, {}, anyNumber);
  const elsewhere = await startIssuer();
  t.after(() => elsewhere.stop());
  const [theirs] = elsewhere.keys as [SigningKey];
  const [known] = issuer.keys as [SigningKey];
  const headers = [
    { jwk: theirs.jwk },
    { jku: `${elsewhere.url}/keys`, kid: theirs.kid },
    { x5u: `${elsewhere.url}/cert` },
    { jku: `${elsewhere.url}/keys`, jwk: theirs.jwk, kid: known.kid },
    { x5c: ['MIIB'], kid: known.kid },
  ];
  for (const header of headers) {
    const token = await issuer.token({}, header as object, theirs);
    assert.match(await ask(token), /^401 token: (unknown signing key|wrong signature)$/);
  }
  assert.deepEqual(elsewhere.asked, []);
});

test('what it calls critical and is not understood', async (t) => {
  const { ask, issuer } = await openTokens(t, {}, anyNumber);
  const claims = claimsOf(issuer.url);
  const { kid } = issuer.keys[0] as SigningKey;
  for (const crit of [['exp'], ['https://example.com/x'], ['b64'], [], 'exp']) {
    const header = { alg: 'RS256', kid, crit, b64: true, exp: 1, 'https://example.com/x': 1 };
    assert.match(await ask(rawToken(header, claims, 'x')), /^401 token: /);
  }
});

test('text that is too long, or no token at all', async (t) => {
  const { ask, issuer, way } = await openTokens(t, {}, anyNumber);
  assert.equal(await ask(await issuer.token({ more: 'x'.repeat(9_000) })), '401 token: too long');
  for (const text of ['a.b.c', `${'x'.repeat(400)}.b`, 'sk-0123456789.abc', '..', 'eyJ.eyJ.', '{}.{}.{}']) {
    assert.equal(await ask(text), 'no token', text);
  }
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  for (const value of [[], null, 1, 'x', { __proto__: null }]) {
    assert.match(await ask(`${part(value)}.${part({ iss: issuer.url })}.abcd`), /^(no token|401 token: )/);
  }
  assert.match(await ask(`${part({ alg: 'RS256' })}.${part([[[]]])}.abcd`), /^no token$/);
  const basic = {
    headers: { authorization: `Basic ${await issuer.token()}` },
    call: { clientAddress: '::1' },
  };
  assert.equal(way.identify(basic, Date.now()), undefined);
});

test('with a secret: HS256 alone, and only that secret', async (t) => {
  const secret = 'a secret of 32 bytes, or of more';
  const shared = { issuer: { secret: secret.replaceAll(' ', '-') } };
  const { ask, issuer } = await openTokens(t, shared, anyNumber);
  const signed = (key: string, header: object = { alg: 'HS256' }) => {
    const text = rawToken(header, claimsOf(issuer.url)).slice(0, -1);
    return rawToken(header, claimsOf(issuer.url), createHmac('sha256', key).update(text).digest());
  };
  assert.equal(await ask(signed(shared.issuer.secret)), 'ok');
  assert.equal(await ask(signed('another')), '401 token: wrong signature');
  assert.equal(await ask(signed('')), '401 token: wrong signature');
  assert.equal(await ask(await issuer.token()), '401 token: algorithm not allowed');
  assert.deepEqual(issuer.asked, [], 'nothing is fetched');
});

test('whoever forges is not listened to for a while, and whoever is known is', async (t) => {
  const { ask, issuer, outcomes, way } = await openTokens(t, {}, { keys: { failed_lookups_per_minute: 3 } });
  const good = await issuer.token();
  assert.equal(await ask(good), 'ok');
  const stranger = await signingKey();
  const { kid } = issuer.keys[0] as SigningKey;
  const forged = await issuer.token({ sub: 'mallory' }, { kid }, stranger);
  for (let times = 0; times < 20; times += 1) assert.match(await ask(forged), /^401/);
  assert.equal(outcomes.filter((outcome) => outcome === 'unseen').length, 1, 'looked at once');
  for (const sub of ['a', 'b']) await ask(await issuer.token({ sub }, { kid }, stranger));
  assert.match(await ask(await issuer.token({ sub: 'new' })), /^429/);
  assert.equal(await ask(good), 'ok');
  issuer.keys = [await signingKey(), ...issuer.keys];
  assert.equal(await askWay(way, await issuer.token({ sub: 'new' }), '198.51.100.7'), 'ok', 'from elsewhere');
  assert.equal(await ask(good), 'ok', 'also where it is verified anew');
});
