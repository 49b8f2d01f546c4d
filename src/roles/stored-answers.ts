/** What a gateway keeps of answers in Redis: for equal requests, and for those with an Idempotency-Key. */
import { OnceRequests } from '../admission/once.ts';
import type { Config } from '../config/schema.ts';
import { ResponseCache } from '../http/response-cache.ts';
import { answerTable } from '../redis/answer-table.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { onceTable } from '../redis/once-table.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export function createResponseCache({ response_cache }: Config, redis: RedisConnection): ResponseCache {
  return new ResponseCache(answerTable(redis), {
    answerBytesMax: response_cache.answer_bytes_max,
    tenantBytesMax: response_cache.tenant_bytes_max,
  });
}

export function createOnceRequests(
  { idempotency, admission }: Config,
  redis: RedisConnection,
  metrics: Pick<Metrics, 'onceAsked'>,
): OnceRequests {
  const table = onceTable(redis, {
    // Whoever holds one dies as the holder of a slot does.
    leaseMs: admission.lease_seconds * 1_000,
    lifetimeMs: idempotency.seconds * 1_000,
    tenantEntriesMax: idempotency.tenant_keys_max,
    tenantBytesMax: idempotency.tenant_bytes_max,
  });
  return new OnceRequests({
    table,
    everyMs: admission.heartbeat_seconds * 1_000,
    answerBytesMax: idempotency.answer_bytes_max,
    onResult: (result) => metrics.onceAsked(result),
  });
}
