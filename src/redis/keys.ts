/**
 * Every key in Redis. All begin with `{prefix}:1:`, where 1 is the version of the layout. What must change
 * together carries its tenant as hash tag, so that one script reaches all of it on a Redis Cluster too. The
 * records are the truth; everything without the tag only leads to them.
 */

export interface RedisKeys {
  /** string, JSON `SecretPointer`. Expires some time after the secret that was rotated away. */
  secret(digest: string): string;
  /** string, name of the tenant that owns the key id. */
  owner(keyId: string): string;
  /** sorted set of `<tenant>/<key id>` by creation in milliseconds, over all tenants. */
  allKeys(): string;
  /** sorted set of tenant names, all with score 0. */
  tenants(): string;
  /** set of JSON `ForeignForm`: what imported keys look like. */
  foreignForms(): string;
  /** channel, JSON `Invalidation`. */
  invalidations(): string;

  /** `{tenant}`: string, JSON `StoredKey`. */
  key(tenant: string, keyId: string): string;
  /** `{tenant}`: string, JSON `TenantRecord`. */
  tenant(tenant: string): string;
  /** `{tenant}`: sorted set of key ids by creation in milliseconds. */
  keysOf(tenant: string): string;
}

export function redisKeys(prefix: string): RedisKeys {
  const root = `${prefix}:1`;
  return {
    secret: (digest) => `${root}:secret:${digest}`,
    owner: (keyId) => `${root}:owner:${keyId}`,
    allKeys: () => `${root}:keys`,
    tenants: () => `${root}:tenants`,
    foreignForms: () => `${root}:forms`,
    invalidations: () => `${root}:invalidations`,

    key: (tenant, keyId) => `${root}:{${tenant}}:key:${keyId}`,
    tenant: (tenant) => `${root}:{${tenant}}:tenant`,
    keysOf: (tenant) => `${root}:{${tenant}}:keys`,
  };
}
