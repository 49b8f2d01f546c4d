/** One row of keys that people bring along: what it may hold, and what it becomes. Pure. */
import { accessFault } from '../../config/access.ts';
import { COUNT_MAX, RATE_MAX, readAllowance } from '../../config/allowance.ts';
import type { GivenAllowance } from '../../core/limits.ts';
import type { ForeignForm } from '../../redis/key-records.ts';
import { matchesForm } from './foreign-forms.ts';
import { type GivenLabels, keyFieldFault, utcDate } from './key-fields.ts';
import { KEY_PREFIX, presentableKeyPattern } from './key-format.ts';

/** As read from NDJSON or CSV; every field is checked here. */
export type ImportRow = Readonly<Record<string, unknown>>;

export interface ImportedRow {
  /** 1 for the first. */
  readonly row: number;
  readonly outcome: 'created' | 'unchanged' | 'refused';
  readonly id: string | null;
  /** Why it was refused. */
  readonly message: string | null;
}

export interface ForeignKey {
  readonly key: string;
  readonly tenant: string;
  readonly name: string;
  readonly allowance: GivenAllowance;
  /** Requests in all, beside the quotas of the allowance. */
  readonly total_quota: number | undefined;
  readonly used_quota: number;
  readonly expires_at: string | null;
  readonly created_at: string | null;
  readonly is_active: boolean;
  /** Undefined: as the defaults have it. */
  readonly policy: string | undefined;
  readonly labels: GivenLabels;
}

const knownFields = new Set([
  ...['key', 'tenant', 'name', 'models', 'limits', 'quotas', 'rate_limit', 'total_quota', 'used_quota'],
  ...['created_at', 'expires_at', 'is_active', 'policy', 'allowed_addresses', 'scopes', 'note', 'tags'],
]);
/** Known elsewhere, and here by another name. A key that arrived without its restrictions would be one without any. */
const otherNames: Readonly<Record<string, string>> = { allowed_ips: 'allowed_addresses' };

const PREFIX_PATTERN = /^[\x21-\x7e]{2,64}$/;

/** Undefined if the form can be declared, else what is wrong with it. */
export function formFault(form: ForeignForm): string | undefined {
  if ('prefix' in form) {
    if (!PREFIX_PATTERN.test(form.prefix)) return 'prefix must be 2 to 64 visible ASCII characters.';
    return form.prefix.startsWith(KEY_PREFIX)
      ? `Keys that begin with ${KEY_PREFIX} are made here and cannot be imported.`
      : undefined;
  }
  const possible = Number.isInteger(form.length) && form.length >= 8 && form.length <= 256;
  return possible ? undefined : 'length must be 8 to 256.';
}

/** The key, or what is wrong with the row; that never holds the key. */
export function readRow(row: ImportRow, form: ForeignForm): ForeignKey | string {
  const given = Object.entries(row).filter(([, value]) => !isEmpty(value));
  for (const [field] of given) {
    if (Object.hasOwn(otherNames, field)) return `${field} is named ${otherNames[field]} here.`;
    if (!knownFields.has(field)) return `There is no field ${JSON.stringify(field.slice(0, 64))}.`;
  }
  const fields = Object.fromEntries(given);
  const { key, tenant, name } = fields;
  if (typeof key !== 'string' || typeof tenant !== 'string' || typeof name !== 'string') {
    return 'key, tenant and name must be texts.';
  }
  const keyFault = foreignKeyFault(key, form) ?? keyFieldFault({ tenant, name })?.message;
  if (keyFault) return keyFault;
  const { policy } = fields;
  if (policy !== undefined && typeof policy !== 'string') return 'policy must be the name of a policy.';
  const active = booleanOf(fields.is_active);
  if (active === undefined) return 'is_active must be true or false.';
  const expires = dateOf(fields.expires_at);
  const created = dateOf(fields.created_at);
  if (expires === undefined || created === undefined)
    return 'expires_at and created_at must be dates in ISO 8601.';
  const allowed = readAllowed(fields);
  if (typeof allowed === 'string') return allowed;
  const labels = {
    note: fields.note,
    tags: listOf(fields.tags),
    scopes: listOf(fields.scopes),
    allowed_addresses: listOf(fields.allowed_addresses),
  };
  const fault = accessFault(labels);
  if (fault) return `${fault.path} ${fault.message}.`;
  return {
    key,
    tenant,
    name,
    ...allowed,
    expires_at: expires,
    created_at: created,
    is_active: active,
    policy,
    labels: labels as GivenLabels,
  };
}

/** What the key may use and has used, or what is wrong with that. */
function readAllowed(
  fields: ImportRow,
): Pick<ForeignKey, 'allowance' | 'total_quota' | 'used_quota'> | string {
  const rate = countOf('rate_limit', fields, 1, RATE_MAX);
  if (typeof rate === 'string') return rate;
  const total = countOf('total_quota', fields, 0, COUNT_MAX);
  if (typeof total === 'string') return total;
  const used = countOf('used_quota', fields, 0, COUNT_MAX);
  if (typeof used === 'string') return used;
  if (rate !== undefined && fields.limits !== undefined) return 'Give rate_limit or limits, not both.';
  const read = readAllowance({
    limits: rate === undefined ? fields.limits : { requests_per_minute: rate },
    quotas: fields.quotas,
    models: listOf(fields.models),
  });
  if (!read.ok) return `${read.path} ${read.message}.`;
  if (total !== undefined && read.given.quotas?.some(({ period }) => period === 'total')) {
    return 'Give total_quota or a quota of the period total, not both.';
  }
  return { allowance: read.given, total_quota: total, used_quota: used ?? 0 };
}

function foreignKeyFault(key: string, form: ForeignForm): string | undefined {
  if (!presentableKeyPattern.test(key)) return 'key must be 8 to 256 visible ASCII characters.';
  if (key.startsWith(KEY_PREFIX))
    return `Keys that begin with ${KEY_PREFIX} are made here and cannot be imported.`;
  return matchesForm(key, form) ? undefined : 'key does not have the declared prefix or length.';
}

/** Undefined when absent, else the number or what is wrong with it. In CSV it is text. */
function countOf(
  field: string,
  fields: ImportRow,
  minimum: number,
  maximum: number,
): number | string | undefined {
  const value = fields[field];
  if (value === undefined) return undefined;
  const count = typeof value === 'string' && /^\s*\d{1,16}\s*$/.test(value) ? Number(value) : value;
  const fits = typeof count === 'number' && Number.isInteger(count) && count >= minimum && count <= maximum;
  return fits ? count : `${field} must be a whole number from ${minimum} to ${maximum}.`;
}

/** CSV has the entries in one text, separated by ; or |. */
function listOf(value: unknown): unknown {
  return typeof value === 'string' ? value.split(/[;|]/).map((name) => name.trim()) : value;
}

function booleanOf(value: unknown): boolean | undefined {
  if (value === undefined || value === true || value === 1) return true;
  if (value === false || value === 0) return false;
  if (typeof value !== 'string') return undefined;
  const text = value.toLowerCase();
  if (text === 'true' || text === '1') return true;
  return text === 'false' || text === '0' ? false : undefined;
}

function dateOf(value: unknown): string | null | undefined {
  if (value === undefined) return null;
  return typeof value === 'string' ? utcDate(value) : undefined;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

export function refusedRow(row: number, message: string): ImportedRow {
  return { row, outcome: 'refused', id: null, message };
}
