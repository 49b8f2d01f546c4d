/** Verifies tokens that this process has not seen: each once, not too many at once, and for no one who only guesses. */
import type { Refusal } from '../../core/errors.ts';
import { clientNetwork } from '../client-network.ts';
import type { Guesses } from '../guesses.ts';
import { invalidKey, keyCannotBeChecked, tooManyFailedKeys } from '../keys/key-refusals.ts';
import type { Plans } from './claims.ts';
import { ownerName } from './subject-memory.ts';
import { type CheckedToken, checkToken, type Issuer } from './token-check.ts';
import type { KnownToken, TokenMemory } from './token-memory.ts';

/** A token that has to be verified: who brings it, and when. */
export interface Question {
  readonly token: string;
  readonly digest: string;
  readonly issuer: Issuer;
  readonly address: string;
  readonly nowMs: number;
  /** Before the keys of its issuer changed: whatever others at its address do, it is looked at. */
  readonly wasGood: boolean;
}

/** Not looked at. */
export interface Unverified {
  readonly outcome: 'memory' | 'limited' | 'crowded';
  readonly refusal: Refusal;
}

interface TokenVerifierParts {
  readonly tokens: TokenMemory;
  readonly plans: Plans;
  readonly guesses: Guesses;
}

/** More than one turn of the event loop brings to a replica that has just started. */
const CHECKS_MAX = 256;

export class TokenVerifier {
  readonly #parts: TokenVerifierParts;
  readonly #underWay = new Map<string, Promise<KnownToken | Refusal>>();

  constructor(parts: TokenVerifierParts) {
    this.#parts = parts;
  }

  /** Settles within two seconds where the keys of the issuer have to be fetched. */
  verify(question: Question): Promise<KnownToken | Refusal> | Unverified {
    const { digest, address, nowMs, wasGood } = question;
    const { tokens, guesses } = this.#parts;
    const refusal = tokens.refusalOf(digest, nowMs);
    if (refusal) return { outcome: 'memory', refusal };
    const waitMs = wasGood ? 0 : guesses.blockedMs(clientNetwork(address), nowMs);
    if (waitMs > 0) return { outcome: 'limited', refusal: tooManyFailedKeys(waitMs) };
    const underWay = this.#underWay.get(digest);
    if (underWay) return underWay;
    if (this.#underWay.size >= CHECKS_MAX) return CROWDED;
    const check = this.#check(question).finally(() => this.#underWay.delete(digest));
    this.#underWay.set(digest, check);
    return check;
  }

  async #check(question: Question): Promise<KnownToken | Refusal> {
    const { token, digest, issuer, nowMs } = question;
    const { tokens, plans } = this.#parts;
    const checked = await checkToken(token, issuer, plans, nowMs);
    if (!checked.ok) return this.#turnAway(checked, question);
    const { tenant, subject, endsAtMs, generation } = checked;
    const known: KnownToken = {
      ...{ digest, issuer, generation, endsAtMs, subject },
      owner: ownerName(tenant, subject),
      known: undefined,
      verdict: undefined,
      used: true,
    };
    tokens.put(known);
    return known;
  }

  async #turnAway(
    { kind, reason }: Extract<CheckedToken, { ok: false }>,
    { digest, address, nowMs }: Question,
  ): Promise<Refusal> {
    if (kind === 'unknown') return keyCannotBeChecked(reason);
    const { tokens, guesses } = this.#parts;
    const refusal = invalidKey(reason);
    tokens.refuse(digest, refusal, nowMs);
    if (kind === 'forged') await guesses.failed(clientNetwork(address), digest, nowMs);
    return refusal;
  }
}

const CROWDED: Unverified = {
  outcome: 'crowded',
  refusal: keyCannotBeChecked('too many tokens are being verified'),
};
