/** On which terms a tenant begins: those that it was given, else those of its seed, else the defaults. Pure. */
import type { Config } from '../../config/schema.ts';
import { allowanceOf, type GivenAllowance } from '../../core/limits.ts';
import { type JobTerms, type TenantPriority, type TenantTerms, usualJobTerms } from '../../core/principal.ts';
import { accessRulesOf, type GivenRules } from './key-fields.ts';

/** What is left out is as `usualJobTerms` has it. */
export type GivenJobTerms = { readonly [Name in keyof JobTerms]?: JobTerms[Name] | undefined };

/** What is left out is filled in from `defaults.tenant`. */
export interface GivenTerms extends GivenAllowance, GivenJobTerms, GivenRules {
  /** Default: false. */
  readonly require_jwt?: boolean | undefined;
  readonly policy?: string | null | undefined;
  /** Default: false. */
  readonly answer_metadata?: boolean | undefined;
  /** Default: false. */
  readonly show_attempts?: boolean | undefined;
  /** Default: normal. */
  readonly priority?: TenantPriority | undefined;
}

export function termsOf(given: GivenTerms, defaults: Config['defaults']['tenant']): TenantTerms {
  return {
    ...allowanceOf(given, defaults),
    policy: given.policy === undefined ? defaults.policy : given.policy,
    answer_metadata: given.answer_metadata ?? false,
    show_attempts: given.show_attempts ?? false,
    priority: given.priority ?? 'normal',
    ...jobTermsOf(given, usualJobTerms),
    ...accessRulesOf(given),
    require_jwt: given.require_jwt ?? false,
  };
}

/** What is left out is as before. */
export function jobTermsOf(given: GivenJobTerms, before: JobTerms): JobTerms {
  return {
    oversize: given.oversize ?? before.oversize,
    over_limit: given.over_limit ?? before.over_limit,
    hold_seconds: given.hold_seconds ?? before.hold_seconds,
    weight: given.weight ?? before.weight,
  };
}

/** By the tenant's name. Until a tenant has a record, its seed holds; it may have none, or not have been sown yet. */
export function termsWithoutRecord({
  defaults,
  tenants,
}: Pick<Config, 'defaults' | 'tenants'>): (tenant: string) => TenantTerms {
  const standard = termsOf({}, defaults.tenant);
  const seeded = new Map(tenants.map((seed) => [seed.name, termsOf(seed, defaults.tenant)]));
  return (tenant) => seeded.get(tenant) ?? standard;
}
