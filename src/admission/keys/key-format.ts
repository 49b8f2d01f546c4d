/**
 * `slc_<public id>_<random><checksum>`: 12 + 30 + 6 characters of base62. The prefix lets scanners find leaked
 * keys, the public id may stand in logs, 30 characters are 178 random bits, and the CRC-32 of all before it
 * tells a mistyped key from an unknown one without asking anybody.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
export const PUBLIC_ID_LENGTH = 12;
export const RANDOM_LENGTH = 30;
export const CHECKSUM_LENGTH = 6;

/** Every key that is made here begins with it, and no other key may. */
export const KEY_PREFIX = 'slc_';

/** 8–256 visible ASCII characters: what any key may consist of. */
export const presentableKeyPattern = /^[\x21-\x7e]{8,256}$/;

const generatedKeyPattern = new RegExp(
  `^${KEY_PREFIX}([0-9A-Za-z]{${PUBLIC_ID_LENGTH}})_[0-9A-Za-z]{${RANDOM_LENGTH + CHECKSUM_LENGTH}}$`,
);

export function newKeyId(): string {
  return `key_${randomBase62(PUBLIC_ID_LENGTH)}`;
}

/** A new secret for the key with this id. */
export function newSecret(keyId: string): string {
  const body = `${KEY_PREFIX}${keyId.slice('key_'.length)}_${randomBase62(RANDOM_LENGTH)}`;
  return body + checksum(body);
}

/** The id inside a key that was made here; undefined for any other text and for a wrong checksum. */
export function generatedKeyId(key: string): string | undefined {
  const publicId = generatedKeyPattern.exec(key)?.[1];
  if (publicId === undefined) return undefined;
  const body = key.slice(0, -CHECKSUM_LENGTH);
  return checksum(body) === key.slice(-CHECKSUM_LENGTH) ? `key_${publicId}` : undefined;
}

/** CRC-32 in base62. */
export function checksum(body: string): string {
  let rest = crc32(body);
  let digits = '';
  for (let place = 0; place < CHECKSUM_LENGTH; place += 1) {
    digits = ALPHABET.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

/** 248 is the largest multiple of 62 in a byte; a byte above it would favour the first letters. */
export function randomBase62(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 248 && text.length < length) text += ALPHABET.charAt(byte % 62);
    }
  }
  return text;
}
