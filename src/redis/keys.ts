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

  // What the ticket scripts derive from the root (scripts/ticket.lua has the fields).
  /** `{tenant}`: what the keys below begin with. */
  root(tenant: string): string;
  /** `{tenant}`: hash, `version` of the records and `clock`. */
  meta(tenant: string): string;
  /** `{tenant}`: hash, ticket id → ticket. */
  tickets(tenant: string): string;
  /** `{tenant}`: sorted set of ticket ids by the end of their lease in milliseconds. */
  leases(tenant: string): string;
  /** `{tenant}`: hash; `scope` is `tenant`, `key:<id>`, `model:<name>` or `key:<id>:model:<name>`. */
  account(tenant: string, scope: string): string;
  /**
   * `{tenant}`: hash of sums. `span` is a day (2026-11-21) or a month (2026-11); `*` and `*` for key and model: all
   * together, by day alone. Kept 35 days, months and totals 400.
   */
  usage(tenant: string, span: string, keyId: string, model: string): string;
  /** `{tenant}`: set of `<key id> <model>` with sums in that month. */
  usageIndex(tenant: string, month: string): string;
  /** `{tenant}`: capped stream of ended calls; settle.lua has the fields. */
  calls(tenant: string): string;
  /** `{tenant}`: string, number of the last batch of settlements of a replica. Expires. */
  settled(tenant: string, replica: string): string;

  /** sorted set of tenants with tickets, by when a replica last said so, in milliseconds. */
  activeTenants(): string;
  /** string, set by the replica that sweeps; expires. */
  sweeping(): string;
  /** hash of replica → JSON `ReplicaReport`; those that are silent are taken out. */
  replicas(): string;
  /** string, JSON `InstallationRecord`: when it is gone, so are the data. */
  installation(): string;
  /** hash of model → JSON of what was learned about its tokens and times. */
  learned(): string;
  /** hash of upstream → when an operator has begun to drain it, in milliseconds. */
  drains(): string;
  /** channel, name of the upstream: the hash has changed. */
  drainChanges(): string;
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

    root: (tenant) => `${root}:{${tenant}}`,
    meta: (tenant) => `${root}:{${tenant}}:meta`,
    tickets: (tenant) => `${root}:{${tenant}}:tickets`,
    leases: (tenant) => `${root}:{${tenant}}:leases`,
    account: (tenant, scope) => `${root}:{${tenant}}:account:${scope}`,
    usage: (tenant, span, keyId, model) => `${root}:{${tenant}}:usage:${span}:${keyId}:${model}`,
    usageIndex: (tenant, month) => `${root}:{${tenant}}:usage-index:${month}`,
    calls: (tenant) => `${root}:{${tenant}}:calls`,
    settled: (tenant, replica) => `${root}:{${tenant}}:settled:${replica}`,

    activeTenants: () => `${root}:active`,
    sweeping: () => `${root}:sweeping`,
    replicas: () => `${root}:replicas`,
    installation: () => `${root}:installation`,
    learned: () => `${root}:learned`,
    drains: () => `${root}:drains`,
    drainChanges: () => `${root}:drain-changes`,
  };
}
