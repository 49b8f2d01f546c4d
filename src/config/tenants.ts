/** What the configuration says of tenants and keys that are yet to be made. */
import { z } from 'zod';
import { allowanceOf } from '../core/limits.ts';
import {
  HOLD_SECONDS_MAX,
  jobWays,
  tenantPriorities,
  usualJobTerms,
  WEIGHT_MAX,
  WEIGHT_MIN,
} from '../core/principal.ts';
import { accessRules, requireJwt } from './access.ts';
import { limitsSchema, modelsSchema, quotasSchema } from './allowance.ts';
import { policyName, tenantName } from './fields.ts';

const terms = {
  limits: limitsSchema.optional(),
  quotas: quotasSchema.optional(),
  models: modelsSchema.optional(),
  policy: policyName.nullable().optional().describe('Name of a policy; null: none.'),
};

/** As `defaults` has it for keys and for tenants. */
export const defaultTerms = z
  .strictObject(terms)
  .prefault({})
  .transform(({ policy = null, ...given }) => ({ ...allowanceOf(given), policy }));

/** For seeds and the admin API; without defaults, because a change leaves what it does not name. */
export const jobTerms = {
  oversize: z
    .enum(jobWays)
    .describe('Of oversized requests that say nothing: hold the connection, async (202), or reject them.'),
  over_limit: z.enum(jobWays).describe('The same for requests that would get a 429, spent quotas apart.'),
  hold_seconds: z
    .number()
    .min(1)
    .max(HOLD_SECONDS_MAX)
    .describe('How long a held caller waits for an answer that is not streamed, before 202.'),
  weight: z
    .number()
    .min(WEIGHT_MIN)
    .max(WEIGHT_MAX)
    .describe('Share of the GPU servers against those of other tenants whose jobs wait.'),
};

export const tenantSeed = z.strictObject({
  name: tenantName.describe('As keys name it.'),
  ...terms,
  priority: z
    .enum(tenantPriorities)
    .default('normal')
    .describe('Who waits and who is sent away when all GPU servers of a model are full: the lowest first.'),
  answer_metadata: z
    .boolean()
    .default(false)
    .describe('JSON answers end with time, version, key id and what is left of the quota.'),
  show_attempts: z
    .boolean()
    .default(false)
    .describe('Answers carry a header that names the GPU servers that were tried.'),
  oversize: jobTerms.oversize.default(usualJobTerms.oversize),
  over_limit: jobTerms.over_limit.default(usualJobTerms.over_limit),
  hold_seconds: jobTerms.hold_seconds.default(usualJobTerms.hold_seconds),
  weight: jobTerms.weight.default(usualJobTerms.weight),
  allowed_addresses: accessRules.allowed_addresses.default([]),
  require_signature: accessRules.require_signature.default(false),
  require_client_certificate: accessRules.require_client_certificate.default(false),
  require_jwt: requireJwt.default(false),
});
