/** What the fields of a key or tenant may hold, checked in one place for the API and for imports. */
import { readAllowance } from '../../config/allowance.ts';
import { type Refusal, refusal } from '../../core/errors.ts';
import type { GivenAllowance } from '../../core/limits.ts';
import { tenantNamePattern } from '../../core/principal.ts';

export interface KeyFields extends GivenAllowance {
  readonly tenant?: string | undefined;
  readonly name?: string | undefined;
  readonly expires_at?: string | null | undefined;
}

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
