/** Keys that sign: how they are named, kept and used. */
import {
  createHmac,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import type { StoredSigningKey } from '../../redis/signing-key-records.ts';
import type { SealingBox } from '../sealing.ts';

export const SIGNING_KEY_ID = /^sgn_[0-9A-Za-z]{12}$/;

/** What the secret of an HMAC begins with; base64 of its 32 bytes follows. */
export const SIGNING_SECRET_PREFIX = 'sigsec_';

/** No secret of a key reads like that, because it holds spaces. */
export function signerSecret(id: string): string {
  return `the signing key ${id}`;
}

/** What the material of a signing key is sealed for. */
export function sealedFor(tenant: string, id: string): string {
  return `${tenant} ${id}`;
}

export class SignatureChecker {
  readonly #box: SealingBox;
  /** As long as the record is remembered, which is dropped with every change. */
  readonly #opened = new WeakMap<StoredSigningKey, KeyObject>();

  constructor(box: SealingBox) {
    this.#box = box;
  }

  /** False also for material that cannot be read, because it was sealed under another `SLUICE_SECRET`. */
  isSigned(tenant: string, key: StoredSigningKey, text: string, signature: Buffer): boolean {
    const opened = this.#opened.get(key) ?? this.#open(tenant, key);
    if (!opened) return false;
    if (opened.type === 'public') return verify(null, Buffer.from(text), opened, signature);
    const expected = createHmac('sha256', opened).update(text).digest();
    return signature.length === expected.length && timingSafeEqual(signature, expected);
  }

  #open(tenant: string, key: StoredSigningKey): KeyObject | undefined {
    const opened = key.alg === 'ed25519' ? publicKey(key.material) : this.#secretKey(tenant, key);
    if (opened) this.#opened.set(key, opened);
    return opened;
  }

  #secretKey(tenant: string, { id, material }: StoredSigningKey): KeyObject | undefined {
    const secret = this.#box.open(sealedFor(tenant, id), material);
    return secret === undefined ? undefined : createSecretKey(signingSecretBytes(secret));
  }
}

/** The bytes that the HMAC is made with. */
export function signingSecretBytes(secret: string): Buffer {
  return Buffer.from(secret.slice(SIGNING_SECRET_PREFIX.length), 'base64');
}

function publicKey(x: string): KeyObject {
  return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
}
