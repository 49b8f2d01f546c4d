/** What the fields of a key or tenant may hold, checked in one place for the API and for imports. */
import { accessFault } from '../../config/access.ts';
import { readAllowance } from '../../config/allowance.ts';
import { type AccessRules, accessScopes, noAccessRules } from '../../core/access.ts';
import { type Refusal, refusal } from '../../core/errors.ts';
import type { GivenAllowance } from '../../core/limits.ts';
import { type KeyRecord, tenantNamePattern } from '../../core/principal.ts';

export interface KeyFields extends GivenAllowance, GivenLabels {
  readonly tenant?: string | undefined;
  readonly name?: string | undefined;
  readonly expires_at?: string | null | undefined;
}

/** What may be said of a key beside what it may use. What is left out is as in `plainKey`, or as it is. */
export type GivenLabels = { readonly [Name in keyof KeyLabels]?: KeyLabels[Name] | undefined };

type KeyLabels = Pick<KeyRecord, keyof typeof plainKey>;

/** What is left out is as before. */
export function labelsOf(given: GivenLabels, before: KeyLabels = plainKey): KeyLabels {
  return {
    note: given.note ?? before.note,
    tags: given.tags ?? before.tags,
    scopes: given.scopes ?? before.scopes,
    ...accessRulesOf(given, before),
  };
}

export type GivenRules = { readonly [Name in keyof AccessRules]?: AccessRules[Name] | undefined };

/** What is left out is as before. */
export function accessRulesOf(given: GivenRules, before: AccessRules = noAccessRules): AccessRules {
  return {
    allowed_addresses: given.allowed_addresses ?? before.allowed_addresses,
    require_signature: given.require_signature ?? before.require_signature,
    require_client_certificate: given.require_client_certificate ?? before.require_client_certificate,
  };
}

/** A key of which nobody has said any of this. */
export const plainKey = Object.freeze({ ...noAccessRules, note: '', tags: [], scopes: accessScopes });

const namePattern = /^[^\p{Cc}]{1,128}$/u;

/** The first fault; absent fields are none. */
export function keyFieldFault({ tenant, name, expires_at, ...given }: KeyFields): Refusal | undefined {
  if (tenant !== undefined && !tenantNamePattern.test(tenant)) {
    return invalidField('tenant', '1 to 64 letters, digits or ._@+-, beginning with a letter or digit');
  }
  if (name !== undefined && !namePattern.test(name)) {
    return invalidField('name', '1 to 128 characters without control characters');
  }
  if (typeof expires_at === 'string' && utcDate(expires_at) === undefined) {
    return invalidField('expires_at', 'a date in ISO 8601, such as 2030-01-31T12:00:00Z');
  }
  const fault = accessFault(given);
  if (fault) return refusal('invalid_parameter', `${fault.path} ${fault.message}.`, { param: fault.path });
  const { limits, quotas, models } = given;
  const read = readAllowance({ limits, quotas, models });
  return read.ok
    ? undefined
    : refusal('invalid_parameter', `${read.path} ${read.message}.`, { param: read.path });
}

export function invalidField(param: string, wanted: string): Refusal {
  return refusal('invalid_parameter', `${param} must be ${wanted}.`, { param });
}

const isoDatePattern =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/;

/** As ISO 8601 in UTC; undefined if it is no date. Without a zone it is read as UTC, not as this machine's. */
export function utcDate(text: string): string | undefined {
  const [, day, time = '00:00', zone = 'Z'] = isoDatePattern.exec(text.trim()) ?? [];
  if (day === undefined) return undefined;
  const atMs = Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(atMs) ? undefined : new Date(atMs).toISOString();
}
