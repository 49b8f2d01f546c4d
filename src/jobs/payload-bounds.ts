import type { Config } from '../config/schema.ts';
import type { PayloadBounds } from '../redis/payload-table.ts';

/** What a request or an answer may take beside its body. */
const BESIDE_BYTES = 2_097_152;

/** The same for whoever writes and whoever reads. */
export function payloadBounds({
  listen,
  routes,
  jobs,
}: Pick<Config, 'listen' | 'routes' | 'jobs'>): PayloadBounds {
  const largestBody = Math.max(
    listen.body_limit_bytes,
    ...routes.map((route) => route.body_limit_bytes ?? 0),
  );
  return {
    requestBytesMax: largestBody + BESIDE_BYTES,
    resultBytesMax: jobs.result_bytes_max + BESIDE_BYTES,
  };
}
