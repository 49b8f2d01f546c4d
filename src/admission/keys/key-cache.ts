/** The keys in memory, bounded: those not used lately go first. */
import type { StoredSigningKey } from '../../redis/signing-key-records.ts';
import type { Verdict } from '../verdict.ts';

export interface CachedKey {
  readonly digest: string;
  readonly keyId: string;
  readonly tenant: string;
  /** Where the digest is that of a signing key of the key. */
  readonly signingKey: StoredSigningKey | undefined;
  /** Until `endsAtMs`, and after it. */
  readonly verdict: Verdict;
  readonly endsAtMs: number;
  readonly verdictAfterEnd: Verdict;
  /** When the record was asked for; its age counts from there. */
  readonly fetchedAtMs: number;
  /** How long it may serve while Redis is away, counted from `fetchedAtMs`. */
  readonly graceMs: number;
  /** Redis did not answer lately: not asked again for this key before. */
  retryAtMs: number;
  /** Changes may have been missed since it was fetched. */
  stale: boolean;
  /** Since the hand of the clock passed it last. */
  used: boolean;
}

/** Second chance: a hit sets one bit, where a true LRU would move the entry on every call. */
export class KeyCache {
  readonly #countMax: number;
  readonly #byDigest = new Map<string, CachedKey>();
  readonly #byTenant = new Map<string, Set<CachedKey>>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get size(): number {
    return this.#byDigest.size;
  }

  get(digest: string): CachedKey | undefined {
    const cached = this.#byDigest.get(digest);
    if (cached) cached.used = true;
    return cached;
  }

  put(cached: CachedKey): void {
    this.drop(cached.digest);
    while (this.#byDigest.size >= this.#countMax) this.#evictOne();
    this.#byDigest.set(cached.digest, cached);
    const ofTenant = this.#byTenant.get(cached.tenant);
    if (ofTenant) ofTenant.add(cached);
    else this.#byTenant.set(cached.tenant, new Set([cached]));
  }

  drop(digest: string): void {
    const cached = this.#byDigest.get(digest);
    if (!cached) return;
    this.#byDigest.delete(digest);
    const ofTenant = this.#byTenant.get(cached.tenant);
    ofTenant?.delete(cached);
    if (ofTenant?.size === 0) this.#byTenant.delete(cached.tenant);
  }

  /** With every secret that the key has. */
  dropKey(tenant: string, keyId: string): void {
    for (const cached of this.#byTenant.get(tenant) ?? []) {
      if (cached.keyId === keyId) this.drop(cached.digest);
    }
  }

  dropTenant(tenant: string): void {
    for (const cached of this.#byTenant.get(tenant) ?? []) this.drop(cached.digest);
  }

  /** Redis is there again, so each is asked for at its next use. */
  makeAllStale(): void {
    for (const cached of this.#byDigest.values()) {
      cached.stale = true;
      cached.retryAtMs = 0;
    }
  }

  #evictOne(): void {
    for (const [digest, cached] of this.#byDigest) {
      if (!cached.used) {
        this.drop(digest);
        return;
      }
      cached.used = false;
      this.#byDigest.delete(digest);
      this.#byDigest.set(digest, cached);
    }
  }
}
