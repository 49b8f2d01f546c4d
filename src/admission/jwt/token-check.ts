/** Is a token good? Signature and standard claims by `jose`, with the algorithms of its issuer and no others. */
import { errors, type FlattenedJWSInput, type JWSHeaderParameters, jwtVerify } from 'jose';
import { type Claimed, claimedSubject, type IssuerConfig, type Plans } from './claims.ts';
import { type IssuerKeys, KeysUnavailable } from './issuer-keys.ts';

export interface Issuer {
  readonly config: IssuerConfig;
  readonly keys: IssuerKeys;
}

export type CheckedToken =
  | (Extract<Claimed, { ok: true }> & {
      /** Wall clock, the tolerance included. */
      readonly endsAtMs: number;
      /** Of the keys of the issuer. */
      readonly generation: number;
    })
  | {
      readonly ok: false;
      /** For the log, in words of ours alone. */
      readonly reason: string;
      /**
       * `forged`: its signature is not that of the issuer, so whoever brings it may be guessing; `unfit`: it is
       * something else; `unknown`: the issuer does not answer, and nobody can tell.
       */
      readonly kind: 'forged' | 'unfit' | 'unknown';
    };

/** Of `aud` and the like; each of them is what jose says. */
const claimReasons: Readonly<Record<string, string>> = {
  iss: 'wrong issuer',
  aud: 'wrong audience',
  nbf: 'not valid yet',
  exp: 'no expiry',
  sub: 'no subject',
};

/** Settles within two seconds where keys have to be fetched. @param nowMs wall clock */
export async function checkToken(
  token: string,
  { config, keys }: Issuer,
  plans: Plans,
  nowMs: number,
): Promise<CheckedToken> {
  let generation = 0;
  const toleranceSeconds = config.clock_tolerance_seconds;
  try {
    const findKey = async (header: JWSHeaderParameters, jws: FlattenedJWSInput) => {
      const found = await keys.find(header, jws);
      generation = found.generation;
      return found.key;
    };
    const { payload } = await jwtVerify(token, findKey, {
      algorithms: [...config.algorithms],
      issuer: config.issuer,
      audience: [...config.audience],
      clockTolerance: toleranceSeconds,
      currentDate: new Date(nowMs),
      requiredClaims: ['exp', 'sub'],
    });
    const { exp = 0, iat = nowMs / 1_000 } = payload;
    if (iat > nowMs / 1_000 + toleranceSeconds) return unfit('issued in the future');
    if (exp - iat > config.lifetime_seconds_max) return unfit('lives too long');
    const claimed = claimedSubject(payload, config, plans);
    if (!claimed.ok) return { ...claimed, kind: 'unfit' };
    return { ...claimed, endsAtMs: (exp + toleranceSeconds) * 1_000, generation };
  } catch (error) {
    return refusedBy(error);
  }
}

function refusedBy(error: unknown): CheckedToken {
  if (error instanceof KeysUnavailable) {
    return { ok: false, kind: 'unknown', reason: 'token: the keys of its issuer cannot be fetched' };
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return forged('wrong signature');
  if (error instanceof errors.JWKSNoMatchingKey) return forged('unknown signing key');
  if (error instanceof errors.JWTExpired) return unfit('expired');
  if (error instanceof errors.JOSEAlgNotAllowed) return unfit('algorithm not allowed');
  if (error instanceof errors.JWTClaimValidationFailed) {
    return unfit(claimReasons[error.claim] ?? 'wrong claim');
  }
  // Among them an extension that it calls critical, and a key of another kind than its algorithm.
  return unfit(error instanceof errors.JOSEError ? error.code : 'unfit for its key');
}

function forged(what: string): CheckedToken {
  return { ok: false, kind: 'forged', reason: `token: ${what}` };
}

function unfit(what: string): CheckedToken {
  return { ok: false, kind: 'unfit', reason: `token: ${what}` };
}
