import { signingKeyBox } from '../admission/signatures/administration.ts';
import { SignatureChecker } from '../admission/signatures/signing-key.ts';
import { SignatureVerifier, type Signers } from '../admission/signatures/verifier.ts';
import type { Config } from '../config/schema.ts';
import type { OtherWay } from '../http/authenticate.ts';
import { signedRequests } from '../http/signed-requests.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { nonceTable } from '../redis/nonce-table.ts';

/** The way in for requests that are signed. */
export function createSignatures(
  config: Pick<Config, 'secret' | 'auth'>,
  redis: RedisConnection,
  signers: Signers,
): OtherWay {
  const { max_age_seconds, tolerance_seconds, public_hosts } = config.auth.signatures;
  const verifier = new SignatureVerifier({
    signers,
    nonces: nonceTable(redis),
    checker: new SignatureChecker(signingKeyBox(config)),
    times: { maxAgeMs: max_age_seconds * 1_000, toleranceMs: tolerance_seconds * 1_000 },
  });
  return signedRequests({ verifier, publicHosts: public_hosts });
}
