/**
 * Look-ups of keys in Redis, guarded against those who only guess. A key that this replica knows, or has found
 * before, passes as if there were no guard: whatever others behind the same address do, it is asked for.
 */
import type { Refusal } from '../core/errors.ts';
import { clientNetwork } from './client-network.ts';
import type { Guesses } from './guesses.ts';
import type { Fetched } from './keys/key-memory.ts';
import { keyCannotBeChecked, tooManyFailedKeys } from './keys/key-refusals.ts';

/**
 * Keys that are looked up for the first time, at once. A replica that has just started meets all its keys like that
 * in bursts, so it is more than one turn of the event loop brings; Redis answers that many in milliseconds.
 */
export const FIRST_LOOKUPS_MAX = 256;

/** `limited`: too many failures of this address; `crowded`: too many look-ups under way. */
export interface Denied {
  readonly denied: 'limited' | 'crowded';
  readonly refusal: Refusal;
}

interface GuardedLookupsParts {
  readonly memory: {
    isKnown(digest: string): boolean;
    fetch(digest: string, nowMs: number): Promise<Fetched>;
  };
  readonly guesses: Guesses;
  /** Whether Redis answers, and what it does not have does not exist. */
  readonly canBeAsked: () => boolean;
  /** Keys named by the configuration are known from the beginning. */
  readonly isNamed: (digest: string) => boolean;
  /** How many found keys are remembered. */
  readonly foundMax: number;
}

export class GuardedLookups {
  readonly #parts: GuardedLookupsParts;
  /** Digests that led to a key: its record leaves the memory with every change of the tenant, and comes back. */
  readonly #found = new Set<string>();
  readonly #underWay = new Map<string, Promise<Fetched>>();

  constructor(parts: GuardedLookupsParts) {
    this.#parts = parts;
  }

  /** @param address of the caller */
  find(digest: string, address: string, nowMs: number): Promise<Fetched> | Denied {
    const { guesses, canBeAsked } = this.#parts;
    if (this.#isFamiliar(digest)) return this.#fetch(digest, nowMs);
    const network = clientNetwork(address);
    const waitMs = guesses.blockedMs(network, nowMs);
    // While Redis or its data are away the answer is 503 for all.
    if (waitMs > 0 && canBeAsked()) return { denied: 'limited', refusal: tooManyFailedKeys(waitMs) };
    const underWay = this.#underWay.get(digest);
    if (underWay) return underWay;
    if (this.#underWay.size >= FIRST_LOOKUPS_MAX) return CROWDED;
    const first = this.#fetchFirst(digest, network, nowMs).finally(() => this.#underWay.delete(digest));
    this.#underWay.set(digest, first);
    return first;
  }

  #isFamiliar(digest: string): boolean {
    const { memory, isNamed } = this.#parts;
    return memory.isKnown(digest) || this.#found.has(digest) || isNamed(digest);
  }

  async #fetchFirst(digest: string, network: string, nowMs: number): Promise<Fetched> {
    const fetched = await this.#fetch(digest, nowMs);
    if (fetched === 'unknown') await this.#parts.guesses.failed(network, digest, nowMs);
    return fetched;
  }

  async #fetch(digest: string, nowMs: number): Promise<Fetched> {
    const fetched = await this.#parts.memory.fetch(digest, nowMs);
    if (fetched === 'unknown') this.#found.delete(digest);
    else if ('digest' in fetched) this.#remember(digest);
    return fetched;
  }

  #remember(digest: string): void {
    this.#found.delete(digest);
    this.#found.add(digest);
    const [oldest] = this.#found;
    if (oldest !== undefined && this.#found.size > this.#parts.foundMax) this.#found.delete(oldest);
  }
}

const CROWDED: Denied = {
  denied: 'crowded',
  refusal: keyCannotBeChecked('too many keys are being looked up for the first time'),
};
