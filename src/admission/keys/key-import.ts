/** One row of keys that people bring along: what it may hold, and what it becomes. Pure. */
import type { ForeignForm } from '../../redis/key-records.ts';
import { matchesForm } from './foreign-forms.ts';
import { keyFieldFault, utcDate } from './key-fields.ts';
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
  readonly models: readonly string[] | null;
  readonly expires_at: string | null;
  readonly created_at: string | null;
  readonly is_active: boolean;
}

const knownFields = new Set(['key', 'tenant', 'name', 'models', 'expires_at', 'is_active', 'created_at']);
/** Known elsewhere. A key that arrived without its limits would be a key without limits. */
const laterFields = new Set(['rate_limit', 'total_quota', 'used_quota', 'limits', 'quotas', 'allowed_ips']);

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
    if (laterFields.has(field)) return `${field} is not supported yet; leave it empty.`;
    if (!knownFields.has(field)) return `There is no field ${JSON.stringify(field.slice(0, 64))}.`;
  }
  const { key, tenant, name, models, expires_at, is_active, created_at } = Object.fromEntries(given);
  if (typeof key !== 'string' || typeof tenant !== 'string' || typeof name !== 'string') {
    return 'key, tenant and name must be texts.';
  }
  const keyFault = foreignKeyFault(key, form);
  if (keyFault) return keyFault;
  const modelNames = listOf(models);
  if (modelNames === undefined) return 'models must be a list of names.';
  const active = booleanOf(is_active);
  if (active === undefined) return 'is_active must be true or false.';
  const expires = dateOf(expires_at);
  const created = dateOf(created_at);
  if (expires === undefined || created === undefined)
    return 'expires_at and created_at must be dates in ISO 8601.';
  const fault = keyFieldFault({ tenant, name, models: modelNames });
  if (fault) return fault.message;
  return {
    key,
    tenant,
    name,
    models: modelNames,
    expires_at: expires,
    created_at: created,
    is_active: active,
  };
}

function foreignKeyFault(key: string, form: ForeignForm): string | undefined {
  if (!presentableKeyPattern.test(key)) return 'key must be 8 to 256 visible ASCII characters.';
  if (key.startsWith(KEY_PREFIX))
    return `Keys that begin with ${KEY_PREFIX} are made here and cannot be imported.`;
  return matchesForm(key, form) ? undefined : 'key does not have the declared prefix or length.';
}

/** Null when absent, undefined when it cannot be read. CSV has it in one text, separated by ; or |. */
function listOf(value: unknown): readonly string[] | null | undefined {
  if (value === undefined) return null;
  if (typeof value === 'string') return value.split(/[;|]/).map((name) => name.trim());
  return Array.isArray(value) && value.every((name) => typeof name === 'string') ? value : undefined;
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
