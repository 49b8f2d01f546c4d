/** /admin/v1/keys/{id}/signing-keys: entered, shown without secrets, rotated with an overlap, taken away. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { type AdminFixture, startAdmin } from './fixture.ts';

let admin: AdminFixture;
let path: string;

before(async () => {
  admin = await startAdmin();
});

after(() => admin.stop());

async function freshKey(): Promise<string> {
  const { body } = await admin.call('POST', '/admin/v1/keys', { json: { tenant: 'acme', name: 'signer' } });
  path = `/admin/v1/keys/${body.id}/signing-keys`;
  return body.id;
}

function newPublicKey() {
  return generateKeyPairSync('ed25519').publicKey;
}

test('a public key is entered in any form, once, and listed', async () => {
  await freshKey();
  const key = newPublicKey();
  const jwk = key.export({ format: 'jwk' });
  const first = await admin.call('PUT', path, { json: { alg: 'ed25519', public_key: jwk, note: 'laptop' } });
  assert.equal(first.status, 201, first.text);
  assert.match(first.body.id, /^sgn_[0-9A-Za-z]{12}$/);
  assert.deepEqual(
    [first.body.alg, first.body.public_key, first.body.note, first.body.expires_at],
    ['ed25519', jwk.x, 'laptop', null],
  );
  const pem = key.export({ format: 'pem', type: 'spki' });
  const again = await admin.call('PUT', path, { json: { alg: 'ed25519', public_key: pem } });
  assert.deepEqual([again.status, again.body], [200, first.body]);
  const listed = await admin.call('GET', path);
  assert.deepEqual(listed.body, { object: 'list', data: [first.body] });
  assert.deepEqual(await lifetimesOfPointers(), ['ends', 'lasts', 'lasts'], 'of the key, and of what signs');
});

/** What leads to records: nothing that leads nowhere is kept. */
async function lifetimesOfPointers(): Promise<string[]> {
  const client = new Redis(admin.redis.url);
  const pointers = await client.keys('*:secret:*');
  const lifetimes = await Promise.all(pointers.map((pointer) => client.pttl(pointer)));
  client.disconnect();
  return lifetimes.map((leftMs) => (leftMs < 0 ? 'lasts' : 'ends')).sort();
}

test('a secret is shown once, and lies encrypted; the record of the key shows nothing of it', async () => {
  const id = await freshKey();
  const made = await admin.call('PUT', path, { json: { alg: 'hmac-sha256' } });
  const { secret } = made.body;
  assert.match(secret, /^sigsec_[A-Za-z0-9+/]{43}=$/);
  const others = [await admin.call('GET', path), await admin.call('GET', `/admin/v1/keys/${id}`)];
  for (const { text } of others) assert.doesNotMatch(text, /sigsec_|sealed|material|signing_keys/);
  const client = new Redis(admin.redis.url);
  const dump: string[] = [];
  for (const key of await client.keys('*')) {
    if ((await client.type(key)) === 'string') dump.push(String(await client.get(key)));
  }
  client.disconnect();
  const text = dump.join('\n');
  assert.ok(text.includes(made.body.id), 'the dump is real');
  const raw = secret.slice('sigsec_'.length);
  for (const form of [raw.slice(0, 30), Buffer.from(raw, 'base64').toString('hex')]) {
    assert.equal(text.includes(form), false);
    assert.equal(JSON.stringify(admin.logLines()).includes(form), false);
  }
});

test('a rotation lets all others end after the overlap, and never later than they would have', async () => {
  await freshKey();
  const soon = new Date(Date.now() + 60_000).toISOString();
  const ending = await admin.call('PUT', path, { json: { alg: 'hmac-sha256', expires_at: soon } });
  const lasting = await admin.call('PUT', path, { json: { alg: 'hmac-sha256' } });
  const fresh = await admin.call('PUT', path, { json: { alg: 'hmac-sha256', overlap_seconds: 3_600 } });
  const { data } = (await admin.call('GET', path)).body;
  const ends = new Map(
    data.map((one: { id: string; expires_at: string | null }) => [one.id, one.expires_at]),
  );
  assert.equal(ends.get(fresh.body.id), null);
  assert.equal(ends.get(ending.body.id), soon);
  const inMs = Date.parse(String(ends.get(lasting.body.id))) - Date.now();
  assert.ok(inMs > 3_500_000 && inMs <= 3_600_000, `${inMs}`);
  await admin.call('PUT', path, { json: { alg: 'hmac-sha256', overlap_seconds: 0 } });
  assert.equal((await admin.call('GET', path)).body.data.length, 1);
});

test('a key has eight signing keys at most, and one that is taken away makes room', async () => {
  await freshKey();
  const made: string[] = [];
  for (let count = 0; count < 8; count += 1) {
    made.push((await admin.call('PUT', path, { json: { alg: 'hmac-sha256' } })).body.id);
  }
  const refused = await admin.call('PUT', path, { json: { alg: 'hmac-sha256' } });
  assert.deepEqual([refused.status, refused.body.error.code], [409, 'conflict']);
  const removed = await admin.call('DELETE', `${path}/${made[3]}`);
  assert.deepEqual([removed.status, removed.body.id, removed.body.deleted], [200, made[3], true]);
  assert.equal((await admin.call('DELETE', `${path}/${made[3]}`)).status, 404);
  assert.equal((await admin.call('PUT', path, { json: { alg: 'hmac-sha256' } })).status, 201);
});

test('what cannot be a signing key is refused with the field at fault', async () => {
  await freshKey();
  const { privateKey } = generateKeyPairSync('ed25519');
  const ofRsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey;
  const bad: [json: object, param: string][] = [
    [{ alg: 'rsa-pss-sha512', public_key: 'x' }, 'alg'],
    [{ alg: 'ed25519' }, 'public_key'],
    [{ alg: 'ed25519', public_key: 'nonsense' }, 'public_key'],
    [{ alg: 'ed25519', public_key: privateKey.export({ format: 'jwk' }) }, 'public_key'],
    [{ alg: 'ed25519', public_key: ofRsa.export({ format: 'pem', type: 'spki' }) }, 'public_key'],
    [{ alg: 'hmac-sha256', public_key: 'AAAA' }, 'public_key'],
    [{ alg: 'hmac-sha256', secret: 'chosen' }, 'secret'],
    [{ alg: 'hmac-sha256', note: 'x\ny' }, 'note'],
    [{ alg: 'hmac-sha256', expires_at: '2001-01-01T00:00:00Z' }, 'expires_at'],
    [{ alg: 'hmac-sha256', overlap_seconds: -1 }, 'overlap_seconds'],
  ];
  for (const [json, param] of bad) {
    const { status, body } = await admin.call('PUT', path, { json });
    assert.deepEqual([status, body.error.param], [400, param], JSON.stringify(json));
  }
  assert.equal(
    (await admin.call('PUT', '/admin/v1/keys/key_unknown/signing-keys', { json: { alg: 'hmac-sha256' } }))
      .status,
    404,
  );
  assert.equal((await admin.call('GET', '/admin/v1/keys/key_unknown/signing-keys')).status, 404);
});

test('an end without a zone is read as UTC, wherever the gateway runs', async (t) => {
  await freshKey();
  const { TZ } = process.env;
  t.after(() => {
    if (TZ === undefined) delete process.env.TZ;
    else process.env.TZ = TZ;
  });
  const text = (fromNowMs: number) => new Date(Date.now() + fromNowMs).toISOString().slice(0, 19);
  for (const zone of ['Asia/Karachi', 'America/New_York']) {
    process.env.TZ = zone;
    const soon = text(3_600_000);
    const made = await admin.call('PUT', path, { json: { alg: 'hmac-sha256', expires_at: soon } });
    assert.deepEqual([made.status, made.body.expires_at], [201, `${soon}.000Z`], zone);
    const past = { alg: 'hmac-sha256', expires_at: text(-3_600_000) };
    assert.equal((await admin.call('PUT', path, { json: past })).status, 400, zone);
  }
});

test('a revoked key gets no signing key', async () => {
  const id = await freshKey();
  await admin.call('DELETE', `/admin/v1/keys/${id}`);
  assert.equal((await admin.call('PUT', path, { json: { alg: 'hmac-sha256' } })).status, 409);
});
