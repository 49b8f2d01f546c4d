/** The examples of RFC 9421, appendix B, come out as printed there: what is signed, and whether the signature holds. */
import assert from 'node:assert/strict';
import { constants, verify } from 'node:crypto';
import { test } from 'node:test';
import { type InnerList, parseDictionary } from 'structured-headers';
import { sealingBox } from '../../../src/admission/sealing.ts';
import { signatureBase } from '../../../src/admission/signatures/base.ts';
import { signedBody } from '../../../src/admission/signatures/content-digest.ts';
import type { SignedMessage } from '../../../src/admission/signatures/message.ts';
import { readPublicKey } from '../../../src/admission/signatures/public-key.ts';
import { SignatureChecker, sealedFor } from '../../../src/admission/signatures/signing-key.ts';

const DIGEST =
  'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:';
const BODY = '{"hello": "world"}';

/** "test-request" */
const request: SignedMessage = {
  method: 'POST',
  scheme: 'https',
  authority: 'example.com',
  target: '/foo?param=Value&Pet=dog',
  rawHeaders: [
    ...['Host', 'example.com', 'Date', 'Tue, 20 Apr 2021 02:07:55 GMT', 'Content-Type', 'application/json'],
    ...['Content-Digest', DIGEST, 'Content-Length', '18'],
  ],
};

/** "test-key-rsa-pss" */
const RSA_PSS = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----`;
/** "test-key-ed25519" */
const ED25519_X = 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs';
/** "test-shared-secret" */
const SHARED = 'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==';

const box = sealingBox('for-these-tests', 'tests');
const checker = new SignatureChecker(box);
const ed25519 = {
  id: 'sgn_000000000000',
  alg: 'ed25519' as const,
  digest: '',
  material: ED25519_X,
  note: '',
  created_at: '2021-04-20T02:07:55Z',
  not_after: null,
};

const published = [
  {
    section: 'B.2.1, minimal',
    input: '();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
    lines: [],
    signature:
      'd2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==',
  },
  {
    section: 'B.2.2, selective',
    input:
      '("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example"',
    lines: ['"@authority": example.com', `"content-digest": ${DIGEST}`, '"@query-param";name="Pet": dog'],
    signature:
      'LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==',
  },
  {
    section: 'B.2.3, full',
    input:
      '("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"',
    lines: [
      '"date": Tue, 20 Apr 2021 02:07:55 GMT',
      '"@method": POST',
      '"@path": /foo',
      '"@query": ?param=Value&Pet=dog',
      '"@authority": example.com',
      '"content-type": application/json',
      `"content-digest": ${DIGEST}`,
      '"content-length": 18',
    ],
    signature:
      'bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==',
  },
] as const;

for (const { section, input, lines, signature } of published) {
  test(`${section}: the text that is signed is the published one, for its signature by RSA-PSS holds`, () => {
    const text = baseOf(request, input);
    assert.equal(text, [...lines, `"@signature-params": ${input}`].join('\n'));
    const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 };
    assert.ok(
      verify('sha512', Buffer.from(text), { key: RSA_PSS, ...padding }, Buffer.from(signature, 'base64')),
    );
  });
}

test('B.2.5: the HMAC by SHA-256 comes out as published', () => {
  const text = baseOf(
    request,
    '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
  );
  const material = box.seal(sealedFor('acme', 'sgn_hmac00000000'), `sigsec_${SHARED}`);
  const key = { ...ed25519, id: 'sgn_hmac00000000', alg: 'hmac-sha256' as const, material };
  const signature = Buffer.from('pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=', 'base64');
  assert.ok(checker.isSigned('acme', key, text, signature));
  assert.equal(checker.isSigned('acme', { ...key }, `${text} `, signature), false);
  assert.equal(checker.isSigned('other', { ...key }, text, signature), false, 'sealed for another tenant');
});

test('B.2.6: the signature by Ed25519 holds, and a change of any line breaks it', () => {
  const input =
    '("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"';
  const signature = Buffer.from(
    'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==',
    'base64',
  );
  const text = baseOf(request, input);
  assert.ok(checker.isSigned('acme', ed25519, text, signature));
  for (const line of text.split('\n')) {
    const changed = text.replace(line, `${line.slice(0, -1)}x`);
    assert.equal(checker.isSigned('acme', ed25519, changed, signature), false, line);
  }
});

test('B.4: a signature survives what does not touch it, and nothing else', () => {
  const input = '("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519"';
  const signature = Buffer.from(
    'ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==',
    'base64',
  );
  const original = {
    method: 'GET',
    scheme: 'https',
    authority: 'example.org',
    target: '/demo?name1=Value1&Name2=value2',
    rawHeaders: ['Accept', 'application/json', 'Accept', '*/*'],
  };
  const holds = (changes: Partial<SignedMessage>) =>
    checker.isSigned('acme', ed25519, baseOf({ ...original, ...changes }, input), signature);
  assert.ok(holds({}));
  assert.ok(holds({ target: '/demo?name1=Value1&Name2=value2&param=added' }));
  assert.ok(holds({ rawHeaders: ['accept', ' application/json, */* ', 'Referer', 'https://example.org/'] }));
  assert.equal(holds({ method: 'POST' }), false);
  assert.equal(holds({ authority: 'example.com' }), false);
  assert.equal(holds({ rawHeaders: ['Accept', '*/*', 'Accept', 'application/json'] }), false);
});

test('the digest of the request in appendix B is that of its body, and of no other', () => {
  for (const [bytes, expected] of [
    [BODY, true],
    [`${BODY} `, false],
    ['', false],
  ] as const) {
    const body = signedBody(DIGEST);
    for (const byte of Buffer.from(bytes)) body?.update(Buffer.of(byte));
    assert.equal(body?.holds(), expected, bytes);
  }
});

test('the public key of appendix B is read from PEM, JWK and base64', () => {
  const pem =
    '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n';
  const spki = 'MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=';
  const raw = 'JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=';
  const jwk = JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x: ED25519_X });
  for (const text of [pem, spki, raw, ED25519_X, jwk, ` ${jwk}\n`]) {
    assert.deepEqual(readPublicKey(text), { ok: true, x: ED25519_X }, text);
  }
});

test('what is no Ed25519 public key is refused, and a private key is called one', () => {
  const privatePem =
    '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----';
  const privateJwk = JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x: ED25519_X, d: ED25519_X });
  for (const text of [privatePem, privateJwk]) assert.match(faultOf(text), /must be the public key/);
  const ofX25519 = JSON.stringify({ kty: 'OKP', crv: 'X25519', x: ED25519_X });
  for (const text of [
    '',
    'AAAA',
    RSA_PSS,
    ofX25519,
    '{',
    '{}',
    'x'.repeat(3_000),
    '-----BEGIN PUBLIC KEY-----',
  ]) {
    assert.match(faultOf(text), /must be an Ed25519 public key/, text);
  }
});

function baseOf(message: SignedMessage, input: string): string {
  const covered = parseDictionary(`sig=${input}`).get('sig') as InnerList;
  const base = signatureBase(message, covered);
  assert.ok(base.ok);
  return base.text;
}

function faultOf(text: string): string {
  const read = readPublicKey(text);
  return read.ok ? 'none' : read.fault;
}
