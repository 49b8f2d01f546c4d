/** Digests of bodies by RFC 9530. */
import { createHash, type Hash, timingSafeEqual } from 'node:crypto';
import { parseDictionary } from 'structured-headers';
import type { SignedBody } from '../../core/call-signature.ts';

const algorithms: Readonly<Record<string, string>> = { 'sha-256': 'sha256', 'sha-512': 'sha512' };
const HEADER_LENGTH_MAX = 1_024;

/** Undefined: the header has no digest of a kind that counts. Where it has two, both have to hold. */
export function signedBody(header: string | undefined): SignedBody | undefined {
  const digests = header === undefined ? [] : digestsIn(header);
  if (digests.length === 0) return undefined;
  return {
    update(piece) {
      for (const { hash } of digests) hash.update(piece);
    },
    holds() {
      return digests.every(({ hash, expected }) => {
        const digest = hash.digest();
        return digest.length === expected.length && timingSafeEqual(digest, expected);
      });
    },
  };
}

function digestsIn(header: string): { readonly hash: Hash; readonly expected: Buffer }[] {
  if (header.length > HEADER_LENGTH_MAX) return [];
  try {
    return [...parseDictionary(header)].flatMap(([name, [value]]) => {
      const algorithm = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined;
      if (algorithm === undefined || !(value instanceof ArrayBuffer)) return [];
      return [{ hash: createHash(algorithm), expected: Buffer.from(value) }];
    });
  } catch {
    return [];
  }
}
