/** Keys that hold while the configuration names them. They are never written to Redis nor looked up there. */
import type { Config } from '../../config/schema.ts';
import type { StoredKey } from '../../redis/key-records.ts';
import type { KeyDigest } from './key-digest.ts';
import { plainKey } from './key-fields.ts';

const BEGINNING = new Date(0).toISOString();

/**
 * By digest. The id is the same on every replica: it comes from the digest.
 * @param defaults for each of them
 */
export function environmentKeys(
  named: Config['keys']['environment'],
  digestOf: KeyDigest,
  defaults: Config['defaults']['key'],
): ReadonlyMap<string, StoredKey> {
  return new Map(
    named.map(({ tenant, key }) => {
      const digest = digestOf(key);
      return [digest, environmentKey(tenant, digest, defaults)];
    }),
  );
}

function environmentKey(tenant: string, digest: string, defaults: Config['defaults']['key']): StoredKey {
  return {
    id: `env_${Buffer.from(digest, 'base64url').toString('hex').slice(0, 12)}`,
    tenant,
    name: 'environment',
    status: 'active',
    origin: 'environment',
    ...defaults,
    ...plainKey,
    oversize_rule: null,
    created_at: BEGINNING,
    expires_at: null,
    rotated_at: null,
    revision: 1,
    secrets: [{ digest, not_after: null }],
  };
}
