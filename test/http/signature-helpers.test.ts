/** The helpers of deploy/signing make requests that the gateway takes, with both kinds of signing keys. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { missingPrograms } from '../support/programs.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { chat } from './client.ts';
import { ed25519Signer, hmacSigner } from './signing.ts';

const helpers = fileURLToPath(new URL('../../deploy/signing/', import.meta.url));
const run = promisify(execFile);
const withCryptography = await run('python3', ['-c', 'import cryptography']).then(
  () => true,
  () => false,
);

let upstream: TestUpstream;
let gateway: TestGateway;
let folder: string;
let ed25519: { keyId: string; pem: string };
let hmac: { keyId: string; secret: string };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-signing-'));
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
    },
  });
  const { id } = await gateway.createKey({ require_signature: true });
  [ed25519, hmac] = await Promise.all([ed25519Signer(gateway, id), hmacSigner(gateway, id)]);
  await writeFile(join(folder, 'key.pem'), ed25519.pem);
  await writeFile(join(folder, 'body.json'), chat());
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
  await rm(folder, { recursive: true });
});

test('the official client signs with the helper for Node', async () => {
  const { signedFetch } = await import(join(helpers, 'sluice-signing.mjs'));
  const signers = [
    { keyId: ed25519.keyId, privateKey: ed25519.pem },
    { keyId: hmac.keyId, secret: hmac.secret },
  ];
  for (const signer of signers) {
    const client = new OpenAI({
      baseURL: `${gateway.url}/v1`,
      apiKey: 'unused',
      maxRetries: 0,
      fetch: signedFetch(signer),
    });
    const answer = await client.chat.completions.create({
      model: 'public',
      messages: [{ role: 'user', content: 'Grüße' }],
    });
    assert.equal(answer.choices[0]?.message.content, 'Good day.');
    const page = await client.models.list({ query: { q: 'ü b' } });
    assert.equal(page.data[0]?.id, 'public');
  }
});

const python = `
import json, sys, urllib.request
sys.path.insert(0, sys.argv[1])
from sluice_signing import signed_headers
url, signer = sys.argv[2], json.loads(sys.argv[3])
body = json.dumps({"model": "public", "messages": [{"role": "user", "content": "Grüße"}]}).encode()
for method, path, data in (("POST", "/v1/chat/completions", body), ("GET", "/v1/models?q=%C3%BC", b"")):
    headers = {"Content-Type": "application/json"} if data else {}
    headers = signed_headers(method, url + path, headers, data, **signer)
    request = urllib.request.Request(url + path, data=data or None, headers=headers, method=method)
    print(urllib.request.urlopen(request, timeout=20).status)
`;

test('Python signs with the helper, by HMAC with its standard library alone', {
  skip: missingPrograms('python3'),
}, async () => {
  assert.equal(await runPython({ key_id: hmac.keyId, secret: hmac.secret }), '200\n200\n');
});

test('Python signs by Ed25519 with the package cryptography', {
  skip: missingPrograms('python3') || (!withCryptography && 'the Python package cryptography is not here'),
}, async () => {
  assert.equal(await runPython({ key_id: ed25519.keyId, private_key: ed25519.pem }), '200\n200\n');
});

test('curl and openssl sign with the script, by Ed25519 and HMAC', {
  skip: missingPrograms('curl', 'openssl'),
}, async () => {
  for (const env of [
    { SLUICE_KEY_ID: ed25519.keyId, SLUICE_PRIVATE_KEY: join(folder, 'key.pem') },
    { SLUICE_KEY_ID: hmac.keyId, SLUICE_SIGNING_SECRET: hmac.secret },
  ]) {
    const answer = await runCurl(env, 'POST', '/v1/chat/completions', join(folder, 'body.json'));
    assert.match(answer, /Good day\./);
    assert.match(await runCurl(env, 'GET', '/v1/models?page=1&q=%20', '-'), /"public"/);
  }
});

test('the README names the helpers as they are', async () => {
  const text = await readFile(join(helpers, 'README.md'), 'utf8');
  for (const name of [
    'sluice-signing.mjs',
    'sluice_signing.py',
    'sluice-curl.sh',
    'signedFetch',
    'signed_headers',
  ]) {
    assert.ok(text.includes(name), name);
  }
});

async function runPython(signer: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await run('python3', ['-B', '-c', python, helpers, gateway.url, JSON.stringify(signer)]);
  return stdout;
}

async function runCurl(
  env: NodeJS.ProcessEnv,
  method: string,
  target: string,
  body: string,
): Promise<string> {
  const script = join(helpers, 'sluice-curl.sh');
  const { stdout } = await run(script, [method, gateway.url + target, body, '--max-time', '20'], {
    env: { PATH: process.env.PATH, ...env },
  });
  return stdout;
}
