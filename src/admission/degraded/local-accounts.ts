import { LocalAccount } from './local-account.ts';

const ACCOUNTS_MAX = 100_000;

/**
 * Accounts by tenant and scope, bounded: a tenant's are forgotten together, the oldest first, but never where a call
 * runs or something was spent here (the calls that run and the keys in memory bound these).
 */
export class LocalAccounts {
  readonly #countMax: number;
  readonly #byTenant = new Map<string, Map<string, LocalAccount>>();
  #count = 0;

  constructor(countMax = ACCOUNTS_MAX) {
    this.#countMax = countMax;
  }

  get size(): number {
    return this.#count;
  }

  of(tenant: string, scope: string): LocalAccount {
    let ofTenant = this.#byTenant.get(tenant);
    const known = ofTenant?.get(scope);
    if (known) return known;
    if (this.#count >= this.#countMax) this.#forgetIdle(tenant);
    if (!ofTenant) {
      ofTenant = new Map();
      this.#byTenant.set(tenant, ofTenant);
    }
    const account = new LocalAccount();
    ofTenant.set(scope, account);
    this.#count += 1;
    return account;
  }

  /** A tenth at once, so that a full table is not searched for every new account. */
  #forgetIdle(except: string): void {
    const target = this.#countMax * 0.9;
    for (const [tenant, accounts] of this.#byTenant) {
      if (this.#count <= target) return;
      if (tenant === except || !accounts.values().every((account) => account.isIdle)) continue;
      this.#byTenant.delete(tenant);
      this.#count -= accounts.size;
    }
  }
}
