/** What a change has made of a record, field by field: for the audit trail, so bounded. */
import type { FieldChange } from '../core/audit.ts';

type Fields = Readonly<Record<string, unknown>>;

/** They say nothing. */
const idle = new Set(['revision', 'object', 'last_used_at']);
/** No record that comes here has one; what a later one may have is not told either. */
const confidential = /^key$|secret|sealed|digest|password/;

const FIELDS_MAX = 50;
const TEXT_LENGTH_MAX = 200;

/** @param before undefined: it was made; @param after undefined: it was taken out */
export function differences(
  before: object | undefined,
  after: object | undefined,
): Record<string, FieldChange> {
  const old = new Map(leaves(before ?? {}));
  const fresh = new Map(leaves(after ?? {}));
  const changes: Record<string, FieldChange> = {};
  let count = 0;
  for (const path of new Set([...old.keys(), ...fresh.keys()])) {
    const [one, other] = [old.get(path) ?? null, fresh.get(path) ?? null];
    if (JSON.stringify(one) === JSON.stringify(other)) continue;
    count += 1;
    if (count > FIELDS_MAX) break;
    changes[path] = { before: bounded(one), after: bounded(other) };
  }
  return changes;
}

/** Fields of fields under their path, such as `limits.requests_per_minute`; lists are one thing. */
function* leaves(fields: object, prefix = ''): Generator<[string, unknown]> {
  for (const [name, value] of Object.entries(fields)) {
    if (idle.has(name) || confidential.test(name)) continue;
    if (isFields(value)) yield* leaves(value, `${prefix}${name}.`);
    else yield [prefix + name, value];
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bounded(value: unknown): unknown {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= TEXT_LENGTH_MAX ? value : `${text.slice(0, TEXT_LENGTH_MAX)}…`;
}
