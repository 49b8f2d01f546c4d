/**
 * The schema of limits, quotas and models, which keys, tenants and the defaults of both share: for the configuration,
 * the admin API and imports alike. Its messages follow the rule of schema.ts.
 */
import { z } from 'zod';
import { type GivenAllowance, quotaDimensions, quotaPeriods } from '../core/limits.ts';
import { dispatched } from './dispatched.ts';

export const RATE_MAX = 1_000_000_000;
const TOKEN_RATE_MAX = 1_000_000_000_000;
const CONCURRENT_MAX = 1_000_000;
/** Of a quota: a thousandth of what a double counts exactly, so that sums stay exact. */
export const COUNT_MAX = Math.floor(2 ** 53 / 1_000);
const AMOUNT_MAX = 1_000_000_000;
const MODELS_MAX = 1_000;

const modelPattern = /^[\x21-\x7e]{1,128}$/;

function count(minimum: number, maximum: number) {
  const message = `must be a whole number from ${minimum} to ${maximum}; write null for no limit`;
  return z.int(message).min(minimum, message).max(maximum, message).nullable().optional();
}

function amount(decimals: number) {
  const message = `must be a number from 0 to ${AMOUNT_MAX} with at most ${decimals} decimals; write null for no limit`;
  const unit = 10 ** decimals;
  return z
    .number(message)
    .min(0, message)
    .max(AMOUNT_MAX, message)
    .refine((value) => Math.round(value * unit) / unit === value, message)
    .nullable()
    .optional();
}

export const limitsSchema = z
  .strictObject(
    {
      requests_per_minute: count(1, RATE_MAX).describe('How fast requests come back.'),
      tokens_per_minute: count(1, TOKEN_RATE_MAX).describe(
        'Likewise for tokens, prompt and answer together.',
      ),
      max_concurrent: count(1, CONCURRENT_MAX).describe('Calls at the same time.'),
      burst_requests: count(1, RATE_MAX).describe(
        'Requests that may come at once; default: those of a minute.',
      ),
      burst_tokens: count(1, TOKEN_RATE_MAX).describe('Likewise for tokens.'),
    },
    {
      error: (issue) =>
        issue.code === 'invalid_type' ? 'must be a mapping of limits; {} sets none' : undefined,
    },
  )
  .superRefine((limits, context) => {
    for (const [burst, rate] of [
      ['burst_requests', 'requests_per_minute'],
      ['burst_tokens', 'tokens_per_minute'],
    ] as const) {
      if (limits[burst] == null || limits[rate] != null) continue;
      context.addIssue({
        code: 'custom',
        path: [burst],
        message: `must come with ${rate}; set both, or leave out ${burst}`,
      });
    }
  });

const quotaSchema = z
  .strictObject(
    {
      period: z
        .enum(quotaPeriods, `must be one of ${quotaPeriods.join(', ')}; write it as day`)
        .describe('In UTC; total never begins anew.'),
      requests: count(0, COUNT_MAX).describe('0: none at all.'),
      tokens: count(0, COUNT_MAX).describe('Prompt and answer together.'),
      images: count(0, COUNT_MAX).describe('Pictures, made or read.'),
      gpu_seconds: amount(3).describe('By wall time, shared among the calls of a GPU server.'),
      cost_usd: amount(6).describe('By the prices of the models.'),
    },
    { error: (issue) => (issue.code === 'invalid_type' ? 'must be a mapping with a period' : undefined) },
  )
  .refine((quota) => quotaDimensions.some((dimension) => quota[dimension] != null), {
    error: `must limit at least one of ${quotaDimensions.join(', ')}; add an amount, 0 allows nothing`,
  });

export const quotasSchema = z
  .array(quotaSchema, 'must be a list of quotas; [] sets none')
  .superRefine((quotas, context) => {
    for (const [index, { period }] of quotas.entries()) {
      if (quotas.findIndex((other) => other.period === period) === index) continue;
      const message = `must be another period than that of a quota before; join the two quotas`;
      context.addIssue({ code: 'custom', path: [index, 'period'], message });
    }
  });

const modelName = z.string('must be text').regex(modelPattern, 'must be 1 to 128 visible ASCII characters');
const modelCount = `must name 1 to ${MODELS_MAX} models; null allows all`;
const modelList = z.array(modelName).min(1, modelCount).max(MODELS_MAX, modelCount);
const modelLimits = z
  .record(
    z.string(),
    limitsSchema,
    'must be a list of names, or a mapping of names to limits; null allows all models',
  )
  .meta({ minProperties: 1, maxProperties: MODELS_MAX, propertyNames: { pattern: modelPattern.source } });
/** Told apart from the rest, because the place of any other fault holds the name. */
const misfitNames = z.never('must have names of 1 to 128 visible ASCII characters');
const misfitCount = z.never(modelCount);

const modelAccess = [z.null(), modelList, modelLimits];

export const modelsSchema = dispatched(modelAccess, (value) => {
  if (value === null) return z.null();
  if (Array.isArray(value)) return modelList;
  const names = Object.keys(Object(value));
  if (!names.every((name) => modelPattern.test(name))) return misfitNames;
  const counts = typeof value !== 'object' || (names.length > 0 && names.length <= MODELS_MAX);
  return counts ? modelLimits : misfitCount;
}).describe('Public names of models, or limits by name; null: all models.');

const givenAllowance = z.strictObject({
  limits: limitsSchema.optional(),
  quotas: quotasSchema.optional(),
  models: modelsSchema.optional(),
});

type ReadAllowance =
  | { readonly ok: true; readonly given: GivenAllowance }
  | { readonly ok: false; readonly path: string; readonly message: string };

/** For what did not come through a schema of the caller. Tells the first fault: where it is and what must be. */
export function readAllowance(raw: { limits?: unknown; quotas?: unknown; models?: unknown }): ReadAllowance {
  const parsed = givenAllowance.safeParse(raw);
  if (parsed.success) return { ok: true, given: parsed.data };
  const [issue] = parsed.error.issues;
  const path = issue?.path.map(String).join('.') ?? '';
  if (issue?.code !== 'unrecognized_keys')
    return { ok: false, path, message: issue?.message ?? 'does not fit' };
  return { ok: false, path, message: `must not hold ${JSON.stringify(issue.keys[0]?.slice(0, 64))}` };
}
