/**
 * `sluice_admin_<public id>_<random><checksum>`: made as the keys of callers are, under a name and a pepper of its own,
 * so that neither ever passes for the other.
 */
import { createHmac, createSecretKey } from 'node:crypto';
import { derivedSecret } from '../keys/key-digest.ts';
import {
  CHECKSUM_LENGTH,
  checksum,
  PUBLIC_ID_LENGTH,
  RANDOM_LENGTH,
  randomBase62,
} from '../keys/key-format.ts';

const PREFIX = 'sluice_admin_';
const ID_PREFIX = 'adm_';

const pattern = new RegExp(
  `^${PREFIX}([0-9A-Za-z]{${PUBLIC_ID_LENGTH}})_[0-9A-Za-z]{${RANDOM_LENGTH + CHECKSUM_LENGTH}}$`,
);

export function newAdminId(): string {
  return ID_PREFIX + randomBase62(PUBLIC_ID_LENGTH);
}

/** A new key for the admin with this id. */
export function newAdminKey(id: string): string {
  const body = `${PREFIX}${id.slice(ID_PREFIX.length)}_${randomBase62(RANDOM_LENGTH)}`;
  return body + checksum(body);
}

/** The id inside an admin key; undefined for any other text and for a wrong checksum. */
export function adminIdOf(key: string): string | undefined {
  const publicId = pattern.exec(key)?.[1];
  if (publicId === undefined) return undefined;
  const isWhole = checksum(key.slice(0, -CHECKSUM_LENGTH)) === key.slice(-CHECKSUM_LENGTH);
  return isWhole ? ID_PREFIX + publicId : undefined;
}

/** What Redis knows of an admin key: HMAC-SHA-256, 43 characters of base64url. */
export function adminKeyDigest(secret: string): (key: string) => string {
  const pepper = createSecretKey(derivedSecret(secret, 'admin-key-pepper:1'));
  return (key) => createHmac('sha256', pepper).update(key).digest('base64url');
}
