/**
 * Who has signed this request? (RFC 9421)
 *
 * What costs nothing is looked at first: form, time, coverage. Then the signing key is looked up, as keys are and with
 * the same guard against guesses; then the signature is checked, and only for one that holds is its nonce spent. So
 * nobody can spend the nonces of another, and a nonce that is spent belongs to a request that was really signed.
 */
import type { CallSignature } from '../../core/call-signature.ts';
import type { Refusal } from '../../core/errors.ts';
import type { Principal } from '../../core/principal.ts';
import type { NonceTable } from '../../redis/nonce-table.ts';
import type { StoredSigningKey } from '../../redis/signing-key-records.ts';
import { invalidKey, keyCannotBeChecked } from '../keys/key-refusals.ts';
import type { Verdict } from '../verdict.ts';
import { signatureBase } from './base.ts';
import { signedBody } from './content-digest.ts';
import { coverageFault, parameterFault, type SignatureTimes } from './coverage.ts';
import type { SignedMessage } from './message.ts';
import { type PresentedSignature, presentedSignatures } from './presented.ts';
import type { SignatureChecker } from './signing-key.ts';

/** A signing key that was looked up, and what is to be said to whoever has it. */
export interface Signer {
  readonly verdict: Verdict;
  /** Undefined: it is not known, or could not be looked up; the verdict says which. */
  readonly key: StoredSigningKey | undefined;
}

export interface Signers {
  /**
   * @param keyId of the form that signing keys have
   * @param address of the caller
   */
  findSigner(keyId: string, address: string, nowMs: number): Signer | Promise<Signer>;
  /** Asks Redis, although it is known. */
  findSignerAnew(keyId: string, address: string, nowMs: number): Promise<Signer>;
}

/** A request with a header Signature-Input. */
export interface SignedRequest {
  readonly input: string;
  readonly signature: string | undefined;
  readonly contentDigest: string | undefined;
  readonly hasBody: boolean;
  readonly address: string;
  /** One for each host that it may have been meant for. */
  readonly messages: readonly [SignedMessage, ...SignedMessage[]];
}

export type SignedVerdict =
  | { readonly ok: true; readonly principal: Principal; readonly signature: CallSignature }
  | { readonly ok: false; readonly refusal: Refusal };

/** How far the clocks of two replicas may be apart. */
const CLOCKS_MS = 10_000;

interface VerifierParts {
  readonly signers: Signers;
  readonly nonces: NonceTable;
  readonly checker: SignatureChecker;
  readonly times: SignatureTimes;
}

export class SignatureVerifier {
  readonly #parts: VerifierParts;

  constructor(parts: VerifierParts) {
    this.#parts = parts;
  }

  /**
   * Undefined: none of its signatures names a signing key of ours.
   * @param nowMs wall clock
   */
  verify(request: SignedRequest, nowMs: number): SignedVerdict | Promise<SignedVerdict> | undefined {
    const presented = presentedSignatures(request.input, request.signature);
    if (presented === 'malformed') return refuse('signature malformed');
    const [first, second] = presented;
    if (first === undefined) return undefined;
    return this.#verifyAny(request, second ? [first, second] : [first], nowMs);
  }

  /** Whoever has signed a request that was verified, by records as they are now. */
  async signerAnew(keyId: string, address: string, nowMs: number): Promise<Verdict> {
    return (await this.#parts.signers.findSignerAnew(keyId, address, nowMs)).verdict;
  }

  /**
   * The first that holds counts; where none does, the first tells why. All nonces of those that hold are spent, because
   * the same request could come again with the other signature alone.
   */
  async #verifyAny(
    request: SignedRequest,
    presented: readonly [PresentedSignature, ...PresentedSignature[]],
    nowMs: number,
  ): Promise<SignedVerdict> {
    let refused: SignedVerdict | undefined;
    let held: SignedVerdict | undefined;
    const toSpend: [PresentedSignature, tenant: string][] = [];
    for (const one of presented) {
      const verdict = await this.#verifyOne(request, one, nowMs);
      if (verdict.ok) {
        held ??= verdict;
        toSpend.push([one, verdict.principal.tenant]);
        // Whether that one holds nobody can tell now, and later it might.
      } else if (verdict.refusal.name !== 'invalid_api_key') return verdict;
      else refused ??= verdict;
    }
    for (const [one, tenant] of toSpend) {
      const spent = await this.#spend(one, tenant);
      if (spent !== undefined) return spent;
    }
    return (held ?? refused) as SignedVerdict;
  }

  /** All but its nonce. */
  async #verifyOne(
    request: SignedRequest,
    presented: PresentedSignature,
    nowMs: number,
  ): Promise<SignedVerdict> {
    const { signers, times } = this.#parts;
    const { keyId, covered } = presented;
    const refuseIt = (fault: string) => refuse(`signature ${fault} ${keyId}`);
    const body = request.hasBody || isCovered(presented) ? signedBody(request.contentDigest) : undefined;
    const fault =
      parameterFault(covered[1], nowMs, times) ??
      coverageFault(presented, request.messages[0], request.hasBody) ??
      digestFault(request, presented, body);
    if (fault !== undefined) return refuseIt(fault);
    const found = signers.findSigner(keyId, request.address, nowMs);
    const { verdict, key } = found instanceof Promise ? await found : found;
    if (!verdict.ok) return verdict;
    if (!key) return refuseIt('by an unknown key');
    const { principal } = verdict;
    const unsigned = this.#whyUnsigned(request, presented, principal.tenant, key);
    if (unsigned !== undefined) return refuseIt(unsigned);
    return { ok: true, principal, signature: { signer: keyId, body: request.hasBody ? body : undefined } };
  }

  #whyUnsigned(
    { messages }: SignedRequest,
    { covered, signature }: PresentedSignature,
    tenant: string,
    key: StoredSigningKey,
  ): string | undefined {
    const algorithm = covered[1].get('alg');
    if (algorithm !== undefined && algorithm !== key.alg) return 'names another alg than its key has';
    for (const message of messages) {
      const base = signatureBase(message, covered);
      if (!base.ok)
        return `covers ${base.component.slice(0, 80)}, which is not there, twice there, or not supported`;
      if (this.#parts.checker.isSigned(tenant, key, base.text, signature)) return undefined;
    }
    return 'does not hold';
  }

  /** Remembered until the last moment at which the same request could still be in time. */
  async #spend({ keyId, covered }: PresentedSignature, tenant: string): Promise<SignedVerdict | undefined> {
    const { maxAgeMs, toleranceMs } = this.#parts.times;
    const forMs = maxAgeMs + 2 * toleranceMs + CLOCKS_MS;
    const claimed = await this.#parts.nonces.claim(tenant, keyId, String(covered[1].get('nonce')), forMs);
    if (!claimed.ok) {
      return { ok: false, refusal: keyCannotBeChecked(`nonce of ${keyId}: ${claimed.failure.cause}`) };
    }
    return claimed.value ? undefined : refuse(`signature with a nonce that was used before ${keyId}`);
  }
}

function isCovered({ covered }: PresentedSignature): boolean {
  return covered[0].some(([name]) => name === 'content-digest');
}

/** Where there is no body to wait for, its digest is compared at once. */
function digestFault(
  { hasBody }: SignedRequest,
  presented: PresentedSignature,
  body: ReturnType<typeof signedBody>,
): string | undefined {
  if (!hasBody && !isCovered(presented)) return undefined;
  if (body === undefined) return 'covers no digest by sha-256 or sha-512';
  return hasBody || body.holds() ? undefined : 'is of a request with a body';
}

function refuse(reason: string): SignedVerdict {
  return { ok: false, refusal: invalidKey(reason) };
}
