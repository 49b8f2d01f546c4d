/** More than one credential in a request, or one in the wrong place: the best of them is never picked out. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { jwtOf } from '../admission/jwt/ground.ts';
import { startIssuer, type TestIssuer } from '../admission/jwt/issuer.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { assertRefused, type Reply, send, type Wanted } from './client.ts';
import { ed25519Signer, type Signer, signed } from './signing.ts';

const MODELS = '/v1/models';
const HOST = 'api.example.com';

let upstream: TestUpstream;
let issuer: TestIssuer;
let gateway: TestGateway;
let key: { id: string; key: string };
let signer: Signer;
let token: string;

before(async () => {
  [upstream, issuer] = await Promise.all([startUpstream(answerAsAsked), startIssuer()]);
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
      auth: { jwt: jwtOf(issuer), signatures: { public_hosts: [HOST] } },
    },
  });
  key = await gateway.createKey();
  signer = await ed25519Signer(gateway, key.id);
  token = await issuer.token({ tenant: 'acme' });
});

after(async () => {
  await gateway.stop();
  await Promise.all([upstream.stop(), issuer.stop()]);
});

function ask(headers: NonNullable<Wanted['headers']>): Promise<Reply> {
  return send(gateway.url, MODELS, { method: 'GET', headers });
}

async function served(headers: NonNullable<Wanted['headers']>): Promise<void> {
  const { status, body } = await ask(headers);
  assert.equal(status, 200, `${JSON.stringify(Object.keys(headers))} ${body}`);
}

async function refused(headers: NonNullable<Wanted['headers']>): Promise<void> {
  assertRefused(await ask(headers), 'invalid_api_key');
}

const forge = (text: string) => text.slice(0, -4) + (text.endsWith('AAAA') ? 'BBBB' : 'AAAA');

test('a wrong Authorization is not made up for by a good x-api-key, nor by a second Authorization', async () => {
  for (const wrong of [`Bearer ${forge(key.key)}`, `Bearer ${forge(token)}`, 'Bearer a.b.c', 'wrong']) {
    await refused({ authorization: wrong, 'x-api-key': key.key });
    await refused({ authorization: [wrong, `Bearer ${key.key}`] });
    await refused({ authorization: [wrong, `Bearer ${token}`] });
  }
  await served({ authorization: `Bearer ${key.key}`, 'x-api-key': 'wrong' });
});

test('the scheme is read in any case, and another one is passed over', async () => {
  for (const scheme of ['bearer', 'BEARER', 'bEaReR ']) {
    await served({ authorization: `${scheme} ${key.key}` });
    await served({ authorization: `${scheme} ${token}` });
  }
  await served({ authorization: 'Basic dXNlcjpwYXNz', 'x-api-key': key.key });
  for (const scheme of ['Basic', 'DPoP', 'Bearer\t', 'Bearer:']) {
    await refused({ authorization: `${scheme} ${token}` });
    await refused({ authorization: `${scheme} ${key.key}` });
  }
});

test('a token counts as a bearer alone', async () => {
  await refused({ authorization: token });
  await refused({ 'x-api-key': token });
  await refused({ 'x-api-key': `Bearer ${token}` });
  await refused({ authorization: 'Basic dXNlcjpwYXNz', 'x-api-key': token });
});

test('two keys or two tokens in one header are none', async () => {
  await refused({ 'x-api-key': [key.key, key.key] });
  await refused({ authorization: `Bearer ${key.key}, Bearer ${key.key}` });
  await refused({ authorization: `Bearer ${token} ${token}` });
  await refused({ authorization: `Bearer ${token},${token}` });
});

test('a signature of ours that does not hold, or is malformed, is not made up for by a bearer', async () => {
  const good = signed({ method: 'GET', authority: HOST, target: MODELS }, signer);
  const elsewhere = signed({ method: 'GET', authority: HOST, target: '/v1/usage' }, signer);
  for (const bearer of [key.key, token]) {
    const authorization = `Bearer ${bearer}`;
    await refused({ ...elsewhere, authorization });
    await refused({ ...good, 'signature-input': '((((', authorization });
    await refused({ ...good, 'signature-input': [good['signature-input'] as string, '(((('], authorization });
  }
  await served({ ...good, authorization: 'Bearer wrong', 'x-api-key': 'wrong' });
});

test('what is far too long is refused as a wrong key is', async () => {
  const long = 'a'.repeat(9_000);
  for (const text of [long, `${long}.b.c`, `a.${long}.c`, `slc_${long}`, `${token}${long}`]) {
    await refused({ authorization: `Bearer ${text}` });
    await refused({ authorization: text });
    await refused({ 'x-api-key': text });
    await refused({ 'signature-input': `s=("@method");keyid="${text}"`, signature: 's=:AA==:' });
  }
});
