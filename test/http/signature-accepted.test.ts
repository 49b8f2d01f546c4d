/** Whoever signs a request needs no bearer, and is who the signing key belongs to. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { bearer, chat, type Reply, send, type Wanted } from './client.ts';
import { ed25519Signer, hmacSigner, type Oddities, type Signer, signed, type ToSign } from './signing.ts';

const CHAT = '/v1/chat/completions';

let upstream: TestUpstream;
let gateway: TestGateway;
let key: { id: string; key: string };
let ed25519: Signer;
let hmac: Signer;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
      routes: [{ path: '/predict', methods: ['POST', 'GET'], upstream: 'gpu' }],
      auth: { signatures: { public_hosts: ['api.example.com', 'second.example.com:8443'] } },
    },
  });
  key = await gateway.createKey();
  [ed25519, hmac] = await Promise.all([ed25519Signer(gateway, key.id), hmacSigner(gateway, key.id)]);
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

test('a request signed by Ed25519 or HMAC is served for the key that the signing key belongs to', async () => {
  for (const signer of [ed25519, hmac]) {
    const reply = await call({ target: CHAT, body: chat() }, signer);
    assert.equal(reply.status, 200, `${signer.alg} ${reply.body}`);
    const line = await lineOf(reply);
    assert.deepEqual([line.key, line.tenant], [key.id, 'acme']);
  }
});

test('requests without a body, with a query, to jobs, usage and plain servers may be signed', async () => {
  for (const target of [
    '/v1/models',
    '/v1/models?page=2&q=%20a+b',
    '/v1/usage',
    '/v1/jobs?limit=1',
    '/predict?x=1',
  ]) {
    const reply = await call({ method: 'GET', target }, ed25519);
    assert.equal(reply.status, 200, `${target} ${reply.body}`);
  }
  const reply = await call({ target: '/predict?x=1', body: '{"x": 1}' }, ed25519);
  assert.equal(reply.status, 200);
  assert.equal(upstream.requests.at(-1)?.body, '{"x": 1}');
});

test('a body in pieces is held against its digest, by SHA-256 or SHA-512', async () => {
  const body = chat({ messages: [{ role: 'user', content: 'x'.repeat(9_000) }] });
  for (const digest of ['sha-256', 'sha-512'] as const) {
    const reply = await call({ target: CHAT, body }, ed25519, { digest }, { chunkBytes: 701 });
    assert.equal(reply.status, 200, String(reply.body));
  }
});

test('@target-uri stands for host, path and query, and alg may be left out', async () => {
  const covered = ['@method', '@target-uri', 'content-digest'];
  const body = chat();
  const reply = await call({ target: `${CHAT}?trace=1`, body }, ed25519, { covered, alg: null });
  assert.equal(reply.status, 200, String(reply.body));
});

test('the host may be any of those that are configured, also where a proxy has put in its own', async () => {
  const received = {
    'api.example.com': ['api.example.com', 'API.example.com:80', 'gateway.internal:8080'],
    'second.example.com:8443': ['second.example.com:8443', 'gateway.internal:8080'],
  };
  for (const [authority, hosts] of Object.entries(received)) {
    for (const host of hosts) {
      const headers = { ...signed({ authority, target: CHAT, body: chat() }, ed25519), host };
      const reply = await send(gateway.url, CHAT, { headers, body: chat() });
      assert.equal(reply.status, 200, `${authority} as ${host}`);
    }
  }
});

test('a signature of somebody on the way, and a bearer beside one that holds, change nothing', async () => {
  const foreign = 'proxy=("@method");created=1;keyid="some-proxy"';
  const good = signed({ authority: 'api.example.com', target: CHAT, body: chat() }, ed25519);
  const both = {
    ...good,
    authorization: 'Bearer nonsense',
    'signature-input': `${foreign}, ${good['signature-input']}`,
    signature: `proxy=:AAAA:, ${good.signature}`,
  };
  assert.equal((await send(gateway.url, CHAT, { headers: both, body: chat() })).status, 200);
  const onlyForeign = { ...bearer(key.key), 'signature-input': foreign, signature: 'proxy=:AAAA:' };
  assert.equal((await send(gateway.url, CHAT, { headers: onlyForeign, body: chat() })).status, 200);
});

test('of two signatures the second counts where the first does not hold', async () => {
  const request = { authority: 'api.example.com', target: CHAT, body: chat() };
  const old = signed(request, ed25519, { keyId: 'sgn_000000000000', label: 'old' });
  const fresh = signed(request, ed25519, { label: 'new' });
  const headers = {
    ...fresh,
    'signature-input': `${old['signature-input']}, ${fresh['signature-input']}`,
    signature: `${old.signature}, ${fresh.signature}`,
  };
  assert.equal((await send(gateway.url, CHAT, { headers, body: chat() })).status, 200);
});

test('a change of limits between two signed calls holds for the next one', async () => {
  const { id } = await gateway.createKey({ tenant: 'limited' });
  const signer = await ed25519Signer(gateway, id);
  assert.equal((await call({ target: CHAT, body: chat() }, signer)).status, 200);
  await gateway.admin('PATCH', '/tenants/limited', { limits: { requests_per_minute: 1, burst_requests: 1 } });
  const statuses: number[] = [];
  for (let count = 0; count < 3; count += 1) {
    statuses.push((await call({ target: CHAT, body: chat() }, signer)).status);
  }
  assert.ok(statuses.includes(429), statuses.join());
});

test('where signatures are demanded, of a key or a tenant, a bearer alone is refused', async () => {
  const ofKey = await gateway.createKey({ require_signature: true });
  const ofTenant = await gateway.createKey({ tenant: 'signers' });
  await gateway.admin('PATCH', '/tenants/signers', { require_signature: true });
  for (const made of [ofKey, ofTenant]) {
    const signer = await ed25519Signer(gateway, made.id);
    const refused = await send(gateway.url, CHAT, { headers: bearer(made.key), body: chat() });
    assert.equal(refused.status, 401);
    assert.equal((await lineOf(refused)).reason, `signature demanded ${made.id}`);
    assert.equal((await call({ target: CHAT, body: chat() }, signer)).status, 200);
  }
});

function call(
  request: Omit<ToSign, 'authority'>,
  signer: Signer,
  odd: Oddities = {},
  wanted: Wanted = {},
): Promise<Reply> {
  const headers = signed({ authority: 'api.example.com', ...request }, signer, odd);
  const { method = 'POST', body } = request;
  return send(gateway.url, request.target, {
    method,
    headers,
    ...(body !== undefined && { body }),
    ...wanted,
  });
}

async function lineOf(reply: Reply): Promise<Record<string, unknown>> {
  for (let count = 1; ; count += 1) {
    const lines = await gateway.logLines(count);
    const line = lines.find((one) => one.request_id === reply.headers['x-request-id']);
    if (line) return line;
  }
}
