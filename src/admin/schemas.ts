/** What the admin API takes. Strict: a field that is not built is refused, never ignored. */
import { z } from 'zod';
import { utcDate } from '../admission/keys/key-fields.ts';
import { accessRules, keyLabels, requireJwt } from '../config/access.ts';
import { limitsSchema, modelsSchema, quotasSchema } from '../config/allowance.ts';
import { oversizeDifferences } from '../config/jobs.ts';
import { jobTerms } from '../config/tenants.ts';
import { tenantNamePattern, tenantPriorities } from '../core/principal.ts';

export const tenantName = z
  .string()
  .regex(tenantNamePattern, 'must be 1 to 64 letters, digits or ._@+-, beginning with a letter or digit');

const keyName = z
  .string()
  .min(1, 'must not be empty')
  .max(128, 'must be at most 128 characters')
  // Names are shown on terminals and pages: no control, direction or line-breaking characters.
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'must not hold control characters')
  .describe('For people; need not be unique.');

/** Absent means: as the defaults of the configuration have it, or as it is. */
const allowance = {
  limits: limitsSchema.optional().describe('Replaced as a whole; null or absent within it: not limited.'),
  quotas: quotasSchema.optional().describe('Replaced as a whole; all are checked together.'),
  models: modelsSchema.optional(),
};

const policy = z
  .string()
  .min(1, 'must not be empty; null takes it away')
  .max(64, 'must be at most 64 characters')
  .nullable()
  .describe('Name of a policy of the configuration; null: none.');

const expiresAt = z
  .string()
  .refine((text) => utcDate(text) !== undefined, 'must be ISO 8601, such as 2030-01-31T12:00:00Z')
  .nullable()
  .describe('ISO 8601, in UTC where it names no zone; null: never.');

const oversizeRule = oversizeDifferences
  .nullable()
  .describe('From where on its requests are oversized, where that differs from their model; null: nowhere.');

export const createKeyBody = z.strictObject({
  tenant: tenantName.describe('Made on the way when it is new.'),
  name: keyName,
  ...z.strictObject({ ...keyLabels, ...accessRules }).partial().shape,
  ...allowance,
  policy: policy.optional(),
  oversize_rule: oversizeRule.optional(),
  expires_at: expiresAt.default(null),
});

export const updateKeyBody = z
  .strictObject({
    name: keyName,
    ...keyLabels,
    ...accessRules,
    ...allowance,
    policy,
    oversize_rule: oversizeRule,
    expires_at: expiresAt,
    status: z.enum(['active', 'disabled']).describe('To revoke a key for good, DELETE it.'),
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, {
    error:
      'Give at least one of name, note, tags, scopes, allowed_addresses, require_signature, require_client_certificate, limits, quotas, models, policy, oversize_rule, expires_at, status.',
  });

export const rotateKeyBody = z
  .strictObject({
    overlap_seconds: z
      .int()
      .min(0)
      .max(31 * 86_400)
      .default(86_400)
      .describe('How long the old secret goes on working; 0: it ends at once.'),
  })
  .prefault({});

export const pageQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, 'must be 1 to 1000')
    .transform(Number)
    .refine((limit) => limit <= 1_000, 'must be 1 to 1000')
    .prefault('100'),
  cursor: z.string().min(1).max(512).optional().describe('`next_cursor` of the page before.'),
});

const pastDate = z
  .string()
  .refine((text) => utcDate(text) !== undefined, 'must be ISO 8601, such as 2026-01-31T12:00:00Z');

export const keysQuery = pageQuery.extend({
  tenant: tenantName.optional(),
  tag: z.string().min(1).max(64).optional().describe('Keys that carry it.'),
  status: z.enum(['active', 'disabled', 'revoked']).optional(),
  created_before: pastDate.optional().describe('Keys that are older.'),
  unused_since: pastDate.optional().describe('Keys that were made before that and not used since.'),
});

export const keyPath = z.strictObject({ id: z.string().regex(/^[A-Za-z0-9_]{1,64}$/) });
export const tenantPath = z.strictObject({ name: tenantName });

const answerMetadata = z
  .boolean()
  .describe(
    'JSON answers end with a member `metadata`: time, version, key id and what is left of the quota.',
  );

const showAttempts = z
  .boolean()
  .describe('Answers carry a header that names the GPU servers that were tried.');

const tenantAccess = {
  email: z
    .string()
    .max(254, 'must be at most 254 characters')
    .regex(
      /^[^\s@\p{Cc}\p{Cf}\p{Cs}]{1,64}@[^\s@\p{Cc}\p{Cf}\p{Cs}]{1,190}$/u,
      'must be an e-mail address, such as team@example.com',
    )
    .nullable()
    .describe('Whom to write to. No two tenants have the same, in whatever case it is written; null: none.'),
  ...accessRules,
  require_jwt: requireJwt,
};

const priority = z
  .enum(tenantPriorities)
  .describe('Who waits and who is sent away when all GPU servers of a model are full: the lowest first.');

export const createTenantBody = z.strictObject({
  name: tenantName,
  ...allowance,
  policy: policy.optional(),
  answer_metadata: answerMetadata.default(false),
  show_attempts: showAttempts.default(false),
  priority: priority.default('normal'),
  ...z.strictObject({ ...jobTerms, ...tenantAccess }).partial().shape,
});

export const updateTenantBody = z
  .strictObject({
    status: z.enum(['active', 'disabled']).describe('disabled: every key of the tenant is refused.'),
    ...allowance,
    policy,
    answer_metadata: answerMetadata,
    show_attempts: showAttempts,
    priority,
    ...jobTerms,
    ...tenantAccess,
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, {
    error:
      'Give at least one of status, limits, quotas, models, policy, answer_metadata, show_attempts, priority, oversize, over_limit, hold_seconds, weight, email, allowed_addresses, require_signature, require_client_certificate, require_jwt.',
  });

const prefix = z
  .string()
  .regex(/^[\x21-\x7e]{2,64}$/, 'must be 2 to 64 visible ASCII characters')
  .describe('What every imported key begins with.');
const length = z.int().min(8).max(256).describe('How long every imported key is.');

/** Rows come as text; their form stands in the query. */
export const importQuery = z.strictObject({
  prefix: prefix.optional(),
  length: z
    .string()
    .regex(/^\d{1,3}$/, 'must be 8 to 256')
    .transform(Number)
    .pipe(length)
    .optional(),
});

export const importBody = z.strictObject({
  form: z.union([z.strictObject({ prefix }), z.strictObject({ length })], {
    error: 'must be {"prefix": …} or {"length": …}: what all the keys have in common',
  }),
  rows: z.array(z.record(z.string(), z.unknown()), 'must be a list of objects').min(1),
});

export const importText = z
  .string('must not be empty')
  .min(1, 'must not be empty')
  .describe('One key a line; CSV names its columns in the first one.');
