/**
 * Signing keys are looked up as secrets of keys are: the same memory, the same invalidations, the same guard against
 * those who guess. What stands in for the secret is the id of the signing key, which is public and grants nothing.
 */
import type { GuardedLookups } from '../guarded-lookups.ts';
import type { CachedKey } from '../keys/key-cache.ts';
import type { KeyDigest } from '../keys/key-digest.ts';
import type { Fetched, KeyMemory } from '../keys/key-memory.ts';
import { invalidKey } from '../keys/key-refusals.ts';
import { signerSecret } from './signing-key.ts';
import type { Signer, Signers } from './verifier.ts';

/** As of keys. */
type Outcome = 'memory' | 'grace' | 'redis' | 'unavailable' | 'limited' | 'crowded';

interface SignerLookupsParts {
  readonly memory: Pick<KeyMemory, 'recall'>;
  readonly lookups: Pick<GuardedLookups, 'find'>;
  readonly digestOf: KeyDigest;
  /** Whether a key that is not in Redis does not exist. */
  readonly isDataTrusted: () => boolean;
  readonly onLookup: ((outcome: Outcome) => void) | undefined;
}

export class SignerLookups implements Signers {
  readonly #parts: SignerLookupsParts;

  constructor(parts: SignerLookupsParts) {
    this.#parts = parts;
  }

  findSigner(keyId: string, address: string, nowMs: number): Signer | Promise<Signer> {
    const { memory, digestOf, isDataTrusted } = this.#parts;
    const recalled = memory.recall(digestOf(signerSecret(keyId)), nowMs);
    if (recalled === 'unknown' && isDataTrusted()) return this.#unknown('memory', keyId);
    if (recalled && recalled !== 'unknown') return this.#known('memory', recalled, nowMs);
    return this.#ask(keyId, address, nowMs);
  }

  async findSignerAnew(keyId: string, address: string, nowMs: number): Promise<Signer> {
    return this.#ask(keyId, address, nowMs);
  }

  #ask(keyId: string, address: string, nowMs: number): Signer | Promise<Signer> {
    const { lookups, digestOf, onLookup } = this.#parts;
    const found = lookups.find(digestOf(signerSecret(keyId)), address, nowMs);
    if (found instanceof Promise) return found.then((fetched) => this.#conclude(fetched, keyId, nowMs));
    onLookup?.(found.denied);
    return { verdict: { ok: false, refusal: found.refusal }, key: undefined };
  }

  #conclude(fetched: Fetched, keyId: string, nowMs: number): Signer {
    if (fetched === 'unknown') return this.#unknown('redis', keyId);
    if ('digest' in fetched) return this.#known('redis', fetched, nowMs);
    this.#parts.onLookup?.('unavailable');
    return { verdict: { ok: false, refusal: fetched }, key: undefined };
  }

  #known(source: 'memory' | 'redis', known: CachedKey, nowMs: number): Signer {
    this.#parts.onLookup?.(known.retryAtMs > 0 ? 'grace' : source);
    const verdict = nowMs < known.endsAtMs ? known.verdict : known.verdictAfterEnd;
    return { verdict, key: known.signingKey };
  }

  #unknown(outcome: Outcome, keyId: string): Signer {
    this.#parts.onLookup?.(outcome);
    return { verdict: { ok: false, refusal: invalidKey(`unknown ${keyId}`) }, key: undefined };
  }
}
