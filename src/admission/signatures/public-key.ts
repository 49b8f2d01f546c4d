/** Public keys, in the forms that people have them in. Pure. */
import { createPublicKey, type KeyObject } from 'node:crypto';

export type ReadPublicKey =
  /** The 32 bytes of the key, in base64url. */
  | { readonly ok: true; readonly x: string }
  /** `must …` */
  | { readonly ok: false; readonly fault: string };

const RAW_BYTES = 32;
const TEXT_LENGTH_MAX = 2_000;
const NO_KEY = 'must be an Ed25519 public key: as PEM, as JWK, or its 32 bytes in base64';
const PRIVATE =
  'must be the public key; keep the private one to yourself, and make a new one if it was sent anywhere';

/** @param given PEM (`BEGIN PUBLIC KEY`), JWK as JSON text, or base64 of the bytes or of their SPKI */
export function readPublicKey(given: string): ReadPublicKey {
  const text = given.trim();
  if (text.length > TEXT_LENGTH_MAX) return fault(NO_KEY);
  if (text.includes('PRIVATE KEY')) return fault(PRIVATE);
  try {
    if (text.startsWith('{')) return readJwk(JSON.parse(text));
    if (text.startsWith('-----BEGIN')) return read(createPublicKey(text));
    if (!/^[A-Za-z0-9+/_-]+=*$/.test(text)) return fault(NO_KEY);
    const bytes = Buffer.from(text, 'base64');
    if (bytes.length === RAW_BYTES) return read(ofBytes(bytes.toString('base64url')));
    return read(createPublicKey({ key: bytes, format: 'der', type: 'spki' }));
  } catch {
    return fault(NO_KEY);
  }
}

function readJwk(jwk: {
  readonly kty?: unknown;
  readonly crv?: unknown;
  readonly x?: unknown;
}): ReadPublicKey {
  if ('d' in jwk) return fault(PRIVATE);
  if (jwk.kty !== 'OKP' || jwk.crv !== 'Ed25519' || typeof jwk.x !== 'string') return fault(NO_KEY);
  return read(ofBytes(jwk.x));
}

function ofBytes(x: string): KeyObject {
  return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
}

function read(key: KeyObject): ReadPublicKey {
  if (key.asymmetricKeyType !== 'ed25519') return fault(NO_KEY);
  const { x } = key.export({ format: 'jwk' });
  return typeof x === 'string' ? { ok: true, x } : fault(NO_KEY);
}

function fault(text: string): ReadPublicKey {
  return { ok: false, fault: text };
}
