/** What Redis knows of a key: HMAC-SHA-256(pepper, key). Without the pepper a copy of Redis is worth nothing. */
import { createHmac, createSecretKey, hash, hkdfSync } from 'node:crypto';

/** One secret of its own per purpose, from the one that the operator keeps. 32 bytes. */
export function derivedSecret(secret: string, label: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `sluice:${label}`, 32));
}

/** Always the same 43 characters of base64url for the same key and secret. */
export type KeyDigest = (key: string) => string;

/** Keys in use at once on one replica; more only costs the HMAC again. */
const REMEMBERED_MAX = 10_000;

/**
 * The HMAC costs 6 µs, a plain hash half of one. So the digest of a key that was seen before is found by the plain
 * hash of it, which lives in this process alone.
 */
export function keyDigest(secret: string): KeyDigest {
  const pepper = createSecretKey(derivedSecret(secret, 'key-pepper:1'));
  const remembered = new Map<string, string>();
  return (key) => {
    const fingerprint = hash('sha256', key);
    let digest = remembered.get(fingerprint);
    if (digest === undefined) {
      digest = createHmac('sha256', pepper).update(key).digest('base64url');
      if (remembered.size >= REMEMBERED_MAX) remembered.clear();
      remembered.set(fingerprint, digest);
    }
    return digest;
  };
}
