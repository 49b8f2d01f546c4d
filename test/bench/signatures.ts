/** What it costs to check a signed request, without and with the round trip that its nonce takes. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { type Authenticator, createAuthenticator } from '../../src/admission/authenticate.ts';
import { createKeyStore } from '../../src/admission/keys/key-store.ts';
import { createSigningKeys, signingKeyBox } from '../../src/admission/signatures/administration.ts';
import { SignatureChecker } from '../../src/admission/signatures/signing-key.ts';
import { SignatureVerifier, type SignedRequest } from '../../src/admission/signatures/verifier.ts';
import type { Config } from '../../src/config/schema.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { type NonceTable, nonceTable } from '../../src/redis/nonce-table.ts';
import type { Logger } from '../../src/telemetry/log.ts';
import { type Signer, signed, withPrivateKey, withSecret } from '../http/signing.ts';

const REQUESTS = 2_000;
const ROUND = 100;
const TARGET = '/v1/chat/completions';
const AUTHORITY = 'api.example.com';
const BODY = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x'.repeat(500) }] });
const times = { maxAgeMs: 300_000, toleranceMs: 30_000 };
const unspent: NonceTable = { claim: async () => ({ ok: true, value: true }) };

interface Cost {
  readonly what: string;
  readonly microseconds: number;
}

export async function costOfSignatures(
  redis: RedisConnection,
  config: Config,
  data: { isTrusted(): boolean; isRevoked(): boolean },
  log: Logger,
): Promise<Cost[]> {
  const authenticator = createAuthenticator({ redis, config, log, data });
  const store = createKeyStore({ redis, config, now: Date.now });
  const made = await store.create({ tenant: 'acme', name: 'signer', models: null, expires_at: null });
  if (!made.ok) throw new Error(made.refusal.message);
  const costs: Cost[] = [];
  for (const signer of await signersOf(redis, config, made.record.id)) {
    costs.push({
      what: `signature, ${signer.alg}, without the nonce`,
      microseconds: await fastest(verifierWith(authenticator, config, unspent), signer),
    });
    costs.push({
      what: `signature, ${signer.alg}, with the nonce in Redis, waiting included`,
      microseconds: await fastest(verifierWith(authenticator, config, nonceTable(redis)), signer),
    });
  }
  costs.push({ what: 'digest of a body of 20 MB, sha-256', microseconds: digestCost() });
  return costs;
}

async function signersOf(redis: RedisConnection, config: Config, keyId: string): Promise<Signer[]> {
  const signingKeys = createSigningKeys(redis, config, Date.now);
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const public_key = JSON.stringify(publicKey.export({ format: 'jwk' }));
  const ed25519 = await signingKeys.put(keyId, { alg: 'ed25519', public_key });
  const hmac = await signingKeys.put(keyId, { alg: 'hmac-sha256' });
  if (!ed25519.ok || !hmac.ok) throw new Error('no signing key');
  const secret = Buffer.from((hmac.secret ?? '').slice('sigsec_'.length), 'base64');
  return [withPrivateKey(ed25519.signingKey.id, privateKey), withSecret(hmac.signingKey.id, secret)];
}

function verifierWith({ signers }: Authenticator, config: Config, nonces: NonceTable): SignatureVerifier {
  return new SignatureVerifier({
    signers,
    nonces,
    checker: new SignatureChecker(signingKeyBox(config)),
    times,
  });
}

/** Of rounds of requests one after the other, each signed for itself. */
async function fastest(verifier: SignatureVerifier, signer: Signer): Promise<number> {
  const requests = Array.from({ length: REQUESTS }, () => signedRequest(signer));
  let best = Number.POSITIVE_INFINITY;
  for (let at = 0; at < REQUESTS; at += ROUND) {
    const beganMs = performance.now();
    for (const request of requests.slice(at, at + ROUND)) {
      const verdict = await verifier.verify(request, Date.now());
      if (!verdict?.ok) throw new Error(`a signature is refused: ${verdict?.refusal.reason}`);
    }
    best = Math.min(best, (1_000 * (performance.now() - beganMs)) / ROUND);
  }
  return best;
}

function signedRequest(signer: Signer): SignedRequest {
  const headers = signed({ authority: AUTHORITY, target: TARGET, body: BODY }, signer);
  const message = {
    method: 'POST',
    scheme: 'https',
    authority: AUTHORITY,
    target: TARGET,
    rawHeaders: Object.entries(headers).flat(),
  };
  return {
    input: headers['signature-input'] ?? '',
    signature: headers.signature,
    contentDigest: headers['content-digest'],
    hasBody: true,
    address: '192.0.2.1',
    messages: [message],
  };
}

function digestCost(): number {
  const bytes = Buffer.alloc(20_000_000, 'x');
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round += 1) {
    const beganMs = performance.now();
    createHash('sha256').update(bytes).digest();
    best = Math.min(best, 1_000 * (performance.now() - beganMs));
  }
  return best;
}
