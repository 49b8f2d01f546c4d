/**
 * Makes the tenants that the configuration names and Redis does not have. Once: what was made, or was there before, is
 * never written over, so that Redis rules from then on. Any number of replicas may do so at the same time.
 */
import type { Config } from '../config/schema.ts';
import type { Logger } from '../telemetry/log.ts';
import type { KeyStore } from './keys/key-store.ts';

const RETRY_MS = 250;

interface TenantSeedsParts {
  readonly seeds: Config['tenants'];
  readonly store: Pick<KeyStore, 'getTenant' | 'createTenant'>;
  /** Not while the data may be gone: a tenant that was disabled would come back as its seed has it. */
  readonly isDataTrusted: () => boolean;
  readonly log: Logger;
}

export class TenantSeeds {
  readonly #parts: TenantSeedsParts;
  #left: Config['tenants'];
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: TenantSeedsParts) {
    this.#parts = parts;
    this.#left = parts.seeds;
  }

  /** Returns at once and goes on until all are there. */
  start(): void {
    if (this.#left.length > 0) void this.#sow();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #sow(): Promise<void> {
    const { isDataTrusted, log } = this.#parts;
    try {
      while (!this.#stopped && isDataTrusted()) {
        const [seed, ...rest] = this.#left;
        if (!seed) return;
        if (!(await this.#sowOne(seed))) break;
        this.#left = rest;
      }
    } catch (error) {
      log.error({ cause: (error as Error).message }, 'tenants of the configuration cannot be made');
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#sow(), RETRY_MS).unref();
  }

  /** False: Redis did not answer, and it is tried again. */
  async #sowOne(seed: Config['tenants'][number]): Promise<boolean> {
    const { store, log } = this.#parts;
    const found = await store.getTenant(seed.name);
    if (found.ok) return true;
    if (found.refusal.name !== 'not_found') return false;
    const made = await store.createTenant(seed);
    if (made.ok) log.info({ tenant: seed.name }, 'tenant of the configuration made');
    return made.ok || made.refusal.name === 'conflict';
  }
}
