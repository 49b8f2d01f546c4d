/** What Redis knows of a key: HMAC-SHA-256(pepper, key). Without the pepper a copy of Redis is worth nothing. */
import { createHmac, createSecretKey, hkdfSync } from 'node:crypto';

/** One secret of its own per purpose, from the one that the operator keeps. 32 bytes. */
export function derivedSecret(secret: string, label: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `sluice:${label}`, 32));
}

/** Always the same 43 characters of base64url for the same key and secret. */
export type KeyDigest = (key: string) => string;

export function keyDigest(secret: string): KeyDigest {
  const pepper = createSecretKey(derivedSecret(secret, 'key-pepper:1'));
  return (key) => createHmac('sha256', pepper).update(key).digest('base64url');
}
