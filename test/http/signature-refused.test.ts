/** A signature that does not hold for the very request that came gets 401: the log says why, the answer does not. */
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { assertRefused, chat, type Reply, send } from './client.ts';
import {
  digestOf,
  ed25519Signer,
  hmacSigner,
  type Oddities,
  type Signer,
  signed,
  withPrivateKey,
  withSecret,
} from './signing.ts';

const CHAT = '/v1/chat/completions';
const HOST = 'api.example.com';
const BODY = chat();
const seconds = () => Math.floor(Date.now() / 1_000);

let upstream: TestUpstream;
let gateway: TestGateway;
let key: { id: string };
let ed25519: Signer & { pem: string };
let hmac: Signer;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
      routes: [{ path: '/predict', methods: ['POST', 'PUT'], upstream: 'gpu' }],
      keys: { failed_lookups_per_minute: 3 },
      auth: { signatures: { public_hosts: [HOST, 'second.example.com'] } },
    },
  });
  key = await gateway.createKey();
  [ed25519, hmac] = await Promise.all([ed25519Signer(gateway, key.id), hmacSigner(gateway, key.id)]);
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

/** What is sent is not what was signed. */
const altered: [what: string, alteration: Alteration, reason: string][] = [
  ['query', { target: `${CHAT}?x=2`, signedTarget: `${CHAT}?x=1` }, 'does not hold'],
  ['a query put behind', { target: `${CHAT}?x=1` }, 'does not cover @query'],
  ['path', { target: '/v1/completions' }, 'does not hold'],
  ['method', { target: '/predict', method: 'PUT', signedTarget: '/predict' }, 'does not hold'],
  ['host', { host: 'second.example.com' }, 'does not hold'],
  ['meant for another host', { signedHost: 'elsewhere.example.com' }, 'does not hold'],
  [
    'meant for another host, behind a proxy',
    { signedHost: 'elsewhere.example.com', host: 'inside' },
    'does not hold',
  ],
  [
    'meant for another host, and its name in Host',
    { signedHost: 'elsewhere.example.com', host: 'elsewhere.example.com' },
    'does not hold',
  ],
  ['digest', { changes: { 'content-digest': digestOf(`${BODY} `) } }, 'does not hold'],
  ['a header that is covered', { changes: { 'content-type': 'application/json; x=y' } }, 'does not hold'],
  ['body', { body: BODY.replace('Hello', 'Hullo') }, 'of another body'],
  ['body that is no JSON', { body: '{' }, 'of another body'],
  ['body in pieces', { body: `${BODY} `, chunkBytes: 10 }, 'of another body'],
  [
    'body of a plain route',
    { target: '/predict', signedTarget: '/predict', body: `${BODY} ` },
    'of another body',
  ],
  ['body taken away', { body: undefined }, 'is of a request with a body'],
];

/** Signed in a way that does not count. */
const odd: [oddities: Oddities, reason: string][] = [
  [{ created: seconds() - 600 }, 'is too old'],
  [{ created: seconds() + 600 }, 'is of the future'],
  [{ expires: seconds() - 60 }, 'has expired'],
  [{ created: null }, 'created is missing'],
  [{ nonce: null }, 'nonce is missing'],
  [{ nonce: 'x'.repeat(15) }, 'nonce is too short or long'],
  [{ nonce: 'x'.repeat(129) }, 'nonce is too short or long'],
  [{ alg: 'rsa-v1_5-sha256' }, 'alg is not supported'],
  [{ alg: 'hmac-sha256' }, 'names another alg than its key has'],
  [{ covered: ['@authority', '@path', 'content-digest'] }, 'does not cover @method'],
  [{ covered: ['@method', '@path', 'content-digest'] }, 'does not cover @authority'],
  [{ covered: ['@method', '@authority', 'content-digest'] }, 'does not cover @path'],
  [{ covered: ['@method', '@authority', '@path'] }, 'does not cover content-digest'],
  [{ covered: ['@method', '@authority', '@path', 'content-digest', '@status'] }, 'covers "@status"'],
  [{ covered: ['@method', '@authority', '@path', 'content-digest', 'x-absent'] }, 'covers "x-absent"'],
  [{ covered: ['@method', '@authority', '@path', '@path', 'content-digest'] }, 'covers "@path"'],
];

test('whatever was altered on its way is refused, and nothing of it forwarded', async () => {
  const told: Told[] = [];
  for (const [what, alteration, reason] of altered) {
    told.push([await sendAltered(alteration), `signature ${reason} ${ed25519.keyId}`, what]);
  }
  await assertTold(told);
});

test('a signature that is too old, of the future, without a nonce, or covers too little is refused', async () => {
  const told: Told[] = [];
  for (const [oddities, reason] of odd) {
    const headers = signed({ authority: HOST, target: CHAT, body: BODY }, ed25519, oddities);
    told.push([await send(gateway.url, CHAT, { headers, body: BODY }), `signature ${reason}`]);
  }
  await assertTold(told);
});

test('a key that signs for another, and an HMAC with the public key as its secret, are refused', async () => {
  const stranger = generateKeyPairSync('ed25519').privateKey;
  const publicKey = createPublicKey(ed25519.pem);
  const raw = Buffer.from(String(publicKey.export({ format: 'jwk' }).x), 'base64url');
  const pem = Buffer.from(publicKey.export({ format: 'pem', type: 'spki' }));
  const confused = [raw, pem].map((secret) => withSecret(ed25519.keyId, secret));
  const told: Told[] = [];
  for (const signer of [
    withPrivateKey(ed25519.keyId, stranger),
    withPrivateKey(hmac.keyId, stranger),
    ...confused,
  ]) {
    for (const alg of [signer.alg, null]) {
      const headers = signed({ authority: HOST, target: CHAT, body: BODY }, signer, { alg });
      const reply = await send(gateway.url, CHAT, { headers, body: BODY });
      const isOdd = alg !== null && alg !== algOf(signer.keyId);
      told.push([reply, isOdd ? 'signature names another alg than its key has' : 'signature does not hold']);
    }
  }
  await assertTold(told);
});

test('headers that are no structured fields, too long, or without a signature of theirs are refused', async () => {
  const good = signed({ authority: HOST, target: CHAT, body: BODY }, ed25519);
  const input = good['signature-input'];
  const many = Array.from({ length: 40 }, (_, count) => `"x-${count}"`).join(' ');
  const bad: [changes: Record<string, string>, reason: string][] = [
    [{ 'signature-input': 'sig1=(' }, 'signature malformed'],
    [{ 'signature-input': `${input}, ` }, 'signature malformed'],
    [{ 'signature-input': `sig1=(${many});keyid="${ed25519.keyId}"` }, 'signature malformed'],
    [{ 'signature-input': `${input};x="${'y'.repeat(4_096)}"` }, 'signature malformed'],
    [{ signature: 'sig1=:A' }, 'signature malformed'],
    [{ signature: `sig1=:${'A'.repeat(2_048)}:` }, 'signature malformed'],
    [{ signature: 'sig2=:AAAA:' }, 'missing'],
    [{ signature: 'sig1="AAAA"' }, 'missing'],
    [{ 'signature-input': 'sig1' }, 'missing'],
    [{ 'signature-input': String(input).replace('sgn_', 'own_') }, 'missing'],
    [{ 'content-digest': 'md5=:AAAA:' }, 'signature covers no digest'],
    [{ 'content-digest': 'sha-256=AAAA' }, 'signature covers no digest'],
  ];
  const told: Told[] = [];
  for (const [changes, reason] of bad) {
    const reply = await send(gateway.url, CHAT, { headers: { ...good, ...changes }, body: BODY });
    told.push([reply, reason, JSON.stringify(changes)]);
  }
  await assertTold(told);
});

test('a signing key that was removed, or has ended, and one of a key that was disabled, sign no more', async () => {
  const made = await gateway.createKey();
  const [removed, ended, disabled] = await Promise.all([
    ed25519Signer(gateway, made.id),
    hmacSigner(gateway, made.id, { expires_at: new Date(Date.now() + 500).toISOString() }),
    ed25519Signer(gateway, made.id),
  ]);
  const sendBy = (signer: Signer) => {
    const headers = signed({ authority: HOST, target: CHAT, body: BODY }, signer);
    return send(gateway.url, CHAT, { headers, body: BODY });
  };
  for (const signer of [removed, disabled]) assert.equal((await sendBy(signer)).status, 200);
  await gateway.admin('DELETE', `/keys/${made.id}/signing-keys/${removed.keyId}`);
  const told: Told[] = [
    [await untilRefused(() => sendBy(removed)), `superseded ${made.id}`],
    [await untilRefused(() => sendBy(ended)), `superseded ${made.id}`],
  ];
  assert.equal((await sendBy(disabled)).status, 200);
  await gateway.admin('PATCH', `/keys/${made.id}`, { status: 'disabled' });
  told.push([await untilRefused(() => sendBy(disabled)), `disabled ${made.id}`]);
  await assertTold(told);
});

/** Last, because it uses up what this address may guess. */
test('unknown signing keys are refused, and after some of them not looked up for this address', async () => {
  const statuses: number[] = [];
  for (let count = 0; count < 5; count += 1) {
    const headers = signed({ authority: HOST, target: CHAT, body: BODY }, ed25519, {
      keyId: `sgn_00000000000${count}`,
    });
    const reply = await send(gateway.url, CHAT, { headers, body: BODY });
    statuses.push(reply.status);
    if (count === 0) await assertTold([[reply, 'unknown sgn_000000000000']]);
  }
  assert.deepEqual(statuses, [401, 401, 401, 429, 429]);
  const headers = signed({ authority: HOST, target: CHAT, body: BODY }, ed25519);
  assert.equal((await send(gateway.url, CHAT, { headers, body: BODY })).status, 200, 'one that is known');
});

interface Alteration {
  readonly method?: string;
  readonly target?: string;
  readonly signedTarget?: string;
  readonly host?: string;
  readonly signedHost?: string;
  readonly changes?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly chunkBytes?: number;
}

function sendAltered(alteration: Alteration): Promise<Reply> {
  const {
    method = 'POST',
    target = CHAT,
    signedTarget = CHAT,
    host = HOST,
    signedHost = HOST,
    changes,
  } = alteration;
  const headers = {
    ...signed({ authority: signedHost, target: signedTarget, body: BODY }, ed25519),
    host,
    ...changes,
  };
  const body = 'body' in alteration ? alteration.body : BODY;
  const { chunkBytes } = alteration;
  const sent = { ...(body !== undefined && { body }), ...(chunkBytes !== undefined && { chunkBytes }) };
  return send(gateway.url, target, { method, headers, ...sent });
}

type Told = [reply: Reply, reason: string, what?: string];

/** One message for all; the log is looked at once, because its lines are written together. */
async function assertTold(told: readonly Told[]): Promise<void> {
  for (const [reply, reason, what = reason] of told) {
    assert.equal(reply.status, 401, what);
    const { message } = assertRefused(reply, 'invalid_api_key');
    // Whoever brings no signature that could be ours is told that he needs a key.
    if (reason !== 'missing') assert.equal(message, 'Incorrect API key provided.', what);
  }
  for (const [reply, reason, what = reason] of told) {
    const line = await lineOf(reply);
    assert.ok(String(line.reason).startsWith(reason), `${what}: ${line.reason}`);
  }
  assert.equal(
    upstream.requests.some(({ body }) => body !== BODY),
    false,
  );
}

function algOf(keyId: string): Signer['alg'] {
  return keyId === hmac.keyId ? 'hmac-sha256' : 'ed25519';
}

async function untilRefused(act: () => Promise<Reply>): Promise<Reply> {
  for (;;) {
    const reply = await act();
    if (reply.status !== 200) return reply;
  }
}

async function lineOf(reply: Reply): Promise<Record<string, unknown>> {
  for (let count = 1; ; count += 1) {
    const lines = await gateway.logLines(count);
    const line = lines.find((one) => one.request_id === reply.headers['x-request-id']);
    if (line) return line;
  }
}
