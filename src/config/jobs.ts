/** Requests that run later: which they are, how many may wait, and what a worker does with them. */
import { z } from 'zod';
import type { OversizeDifferences, OversizeRule } from '../core/principal.ts';
import { dispatched } from './dispatched.ts';

const never = z.literal(false);

/** `false`: does not make a request oversized. */
function threshold(max: number) {
  const message = `must be a whole number from 1 to ${max}, or false for no such bound`;
  const amount = z.int(message).min(1, message).max(max, message);
  return dispatched([never, amount], (value) => (value === false ? never : amount));
}

const oversizeFields = {
  tokens: threshold(100_000_000).describe('Estimated tokens of the prompt.'),
  bytes: threshold(1_000_000_000).describe('Of the body.'),
  images: threshold(100_000).describe('In the prompt.'),
};

/**
 * A prompt of 32,000 tokens keeps a GPU busy for seconds before its first token; half of the largest body is much for
 * a gateway to hold while the caller waits. Bytes say little else: images weigh much and cost little.
 */
const oversize = z.strictObject({
  tokens: oversizeFields.tokens.default(32_000),
  bytes: oversizeFields.bytes.default(10_000_000),
  images: oversizeFields.images.default(false),
});

const differences = z
  .strictObject(
    { tokens: threshold(100_000_000), bytes: threshold(1_000_000_000), images: threshold(100_000) },
    {
      error: ({ code }) =>
        code === 'invalid_type'
          ? 'must be a mapping or false; write it as {tokens: 100000}, or false where no request is oversized'
          : undefined,
    },
  )
  .partial();

/** Of a model, what differs from `jobs.oversize`, and of a key, from its models'; false: no request is oversized. */
export const oversizeDifferences = dispatched([never, differences], (value) =>
  value === false ? never : differences,
);

/**
 * Undefined: no request is oversized.
 * @param general undefined: whatever `own` does not name is no bound
 */
export function oversizeRuleOf(
  general: OversizeRule | undefined,
  own: OversizeDifferences | undefined,
): OversizeRule | undefined {
  if (own === false) return undefined;
  const { tokens, bytes, images } = { ...(general ?? NO_BOUNDS), ...own };
  return tokens === false && bytes === false && images === false ? undefined : { tokens, bytes, images };
}

const NO_BOUNDS: OversizeRule = { tokens: false, bytes: false, images: false };

const waiting = z.strictObject({
  tenant_jobs_max: z
    .int()
    .min(1)
    .max(10_000_000)
    .default(1_000)
    .describe('Unfinished jobs of one tenant; more get 429.'),
  jobs_max: z
    .int()
    .min(1)
    .max(10_000_000)
    .default(100_000)
    .describe('Of all tenants together; more get 503.'),
  tenant_bytes_max: z
    .int()
    .min(1)
    .max(1_000_000_000_000)
    .default(1_000_000_000)
    .describe('Their requests together, uncompressed, in the memory of the Redis of jobs.'),
  bytes_max: z.int().min(1).max(1_000_000_000_000).default(4_000_000_000).describe('Of all tenants.'),
});

export const jobs = z
  .strictObject({
    oversize: oversize.prefault({}).describe('A request that reaches any of these becomes a job.'),
    waiting: waiting.prefault({}),
    lifetime_seconds: z
      .int()
      .min(60)
      .max(604_800)
      .default(86_400)
      .describe('A job that has not ended by then has expired, and costs nothing if it never ran.'),
    result_seconds: z
      .int()
      .min(60)
      .max(2_592_000)
      .default(86_400)
      .describe('How long an ended job and its answer can be fetched.'),
    result_bytes_max: z
      .int()
      .min(1_024)
      .max(1_000_000_000)
      .default(32_000_000)
      .describe('Largest answer; a job with a larger one has failed.'),
    attempts_max: z
      .int()
      .min(1)
      .max(100)
      .default(3)
      .describe('How often a job is begun whose worker dies or whose GPU server fails.'),
    run_seconds_max: z
      .int()
      .min(1)
      .max(86_400)
      .default(1_800)
      .describe('One attempt; it is broken off then, whatever the time-outs of calls say.'),
  })
  .prefault({})
  .describe('Requests that are taken in to run later.');

/**
 * A small job spends most of its time between round trips: 64 at once moved 1,200 to 1,400 a second on a core, 128 1,550.
 * How many calls a GPU server bears is for the server to say (`max_in_flight`, `capacity`, the load that it reports).
 */
const CONCURRENCY = 128;

export const worker = z
  .strictObject({
    concurrency: z
      .int()
      .min(1)
      .max(1_000)
      .default(CONCURRENCY)
      .describe('Jobs that one worker process runs at once; each holds its request and answer in memory.'),
    request_bytes: z
      .int()
      .min(1_000_000)
      .max(100_000_000_000)
      .default(256_000_000)
      .describe(
        'Of requests that one worker process holds at once; a job whose request does not fit waits. Each takes about three times its size while it is sent.',
      ),
  })
  .prefault({});
