import type { Call } from '../core/call.ts';
import type { LastMember } from '../upstream/json-answer.ts';
import type { Inference } from './exchange.ts';

/**
 * The `metadata` at the end of a JSON answer, for tenants that ask for it; undefined for all others. A stream has no
 * place for it, and in an answer of `/v1/responses` it would hide what the caller himself has put there.
 */
export function answerMetadata(
  call: Call,
  { endpoint, streamed }: Inference,
  version: string,
): LastMember | undefined {
  const { principal } = call;
  if (!principal?.answerMetadata || streamed || endpoint.path === '/v1/responses') return undefined;
  return {
    name: 'metadata',
    value: () =>
      JSON.stringify({
        processing_time: `${((performance.now() - call.startedAtMs) / 1_000).toFixed(2)}s`,
        gateway_version: version,
        user_id: principal.keyId,
        remaining_quota: call.standing?.quotas.requests?.remaining ?? null,
      }),
  };
}
