/**
 * The administration of keys and tenants, in Redis.
 *
 * The record of a key names the digests of its secrets and is the truth. What leads to it (pointer, owner,
 * indexes) lies in other slots of a Cluster and is written first: it grants nothing. The one write of the record
 * makes the key or changes it, so whatever a crash leaves behind is a pointer to nothing, never a key that works
 * and stands in no list.
 */
import type { Config } from '../../config/schema.ts';
import type { RedisConnection } from '../../redis/connection.ts';
import { emailTable } from '../../redis/email-table.ts';
import { keyTable } from '../../redis/key-table.ts';
import { keyUseTable } from '../../redis/key-use-table.ts';
import type { KeyStore } from './key-administration.ts';
import { revokeKey, rotateKey, updateKey } from './key-changes.ts';
import { keyDigest } from './key-digest.ts';
import { importKeys } from './key-importer.ts';
import { createKey } from './key-making.ts';
import { getKey, getTenant, listKeys, listTenants } from './key-queries.ts';
import type { StoreParts } from './store-parts.ts';
import { createTenant, updateTenant } from './tenant-changes.ts';

export type * from './key-administration.ts';

interface KeyStoreParts {
  readonly redis: RedisConnection;
  readonly config: Pick<Config, 'secret' | 'defaults' | 'tenants' | 'policies'>;
  /** Names of the policies that there are now; default: those of `config`. */
  readonly policyNames?: () => readonly string[];
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}

export function createKeyStore({ redis, config, policyNames, now }: KeyStoreParts): KeyStore {
  const configured = config.policies.map(({ name }) => name);
  const parts: StoreParts = {
    table: keyTable(redis),
    emails: emailTable(redis),
    uses: keyUseTable(redis),
    digestOf: keyDigest(config.secret),
    defaults: config.defaults,
    seeds: new Map(config.tenants.map((seed) => [seed.name, seed])),
    policyNames: policyNames ?? (() => configured),
    now,
  };
  return {
    create: (wanted) => createKey(parts, wanted),
    get: (id) => getKey(parts, id),
    list: (page) => listKeys(parts, page),
    update: (id, changes) => updateKey(parts, id, changes),
    rotate: (id, options = {}) => rotateKey(parts, id, options),
    revoke: (id) => revokeKey(parts, id),
    importKeys: (rows, form) => importKeys(parts, rows, form),
    listTenants: (page) => listTenants(parts, page),
    getTenant: (name) => getTenant(parts, name),
    createTenant: (wanted) => createTenant(parts, wanted),
    updateTenant: (name, changes) => updateTenant(parts, name, changes),
  };
}
