/** Brings keys in that were made elsewhere. Importing the same file again changes nothing. */
import { isDeepStrictEqual } from 'node:util';
import { refusal } from '../../core/errors.ts';
import { type Allowance, allowanceOf } from '../../core/limits.ts';
import type { Answer } from '../../redis/connection.ts';
import type { ForeignForm, StoredKey } from '../../redis/key-records.ts';
import type { KeyResult } from './key-administration.ts';
import { labelsOf } from './key-fields.ts';
import { newKeyId } from './key-format.ts';
import {
  type ForeignKey,
  formFault,
  type ImportedRow,
  type ImportRow,
  readRow,
  refusedRow,
} from './key-import.ts';
import { writeKey } from './key-making.ts';
import { policyFault } from './policy-names.ts';
import type { StoreParts } from './store-parts.ts';
import { refused, storeAway } from './store-refusals.ts';

/** Rows under way at the same time: enough to hide the round trips, few enough not to delay anybody else. */
const ROWS_AT_ONCE = 32;

const FORMS_MAX = 64;

/** The form is declared first, so that no key is in Redis that a replica would not ask for. */
export async function importKeys(
  parts: StoreParts,
  rows: readonly ImportRow[],
  form: ForeignForm,
): Promise<KeyResult<{ readonly rows: readonly ImportedRow[] }>> {
  const fault = formFault(form);
  if (fault) return refused(refusal('invalid_parameter', fault, { param: 'form' }));
  const forms = await parts.table.foreignForms();
  if (!forms.ok) return storeAway();
  if (!forms.value.some((known) => isDeepStrictEqual(known, form))) {
    if (forms.value.length >= FORMS_MAX) {
      return refused(refusal('conflict', `There are ${FORMS_MAX} forms of imported keys already.`));
    }
    const declared = await parts.table.addForeignForm(form);
    if (!declared.ok) return storeAway();
  }
  return { ok: true, rows: await importRows(parts, rows, form) };
}

/** When Redis is lost on the way, the rest is refused; the rows before it stand. */
async function importRows(
  parts: StoreParts,
  rows: readonly ImportRow[],
  form: ForeignForm,
): Promise<readonly ImportedRow[]> {
  const done: ImportedRow[] = [];
  let storeLost = false;
  for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
    const outcomes = rows.slice(start, start + ROWS_AT_ONCE).map(async (row, offset) => {
      const number = start + offset + 1;
      const wanted = readRow(row, form);
      if (typeof wanted === 'string') return refusedRow(number, wanted);
      const unknown = policyFault(parts, wanted.policy);
      if (unknown) return refusedRow(number, unknown.message);
      const imported = storeLost ? undefined : await importOne(parts, wanted);
      if (imported?.ok) return { row: number, ...imported.value };
      storeLost = true;
      return refusedRow(number, 'Redis does not answer; import the row again.');
    });
    done.push(...(await Promise.all(outcomes)));
  }
  return done;
}

type Imported = Omit<ImportedRow, 'row'>;

/** The pointer is claimed first: of two who bring the same key at once, one gets it. */
async function importOne(parts: StoreParts, wanted: ForeignKey): Promise<Answer<Imported>> {
  const { table } = parts;
  const digest = parts.digestOf(wanted.key);
  const claimed = { tenant: wanted.tenant, key: newKeyId() };
  const claim = await table.claimSecret(digest, claimed);
  if (!claim.ok) return claim;
  const pointer = claim.value ?? claimed;
  if (pointer.tenant !== wanted.tenant)
    return rejected('The key is there already and belongs to another tenant.');
  if (claim.value) {
    const existing = await table.findById(pointer.key);
    if (!existing.ok) return existing;
    if (existing.value) return known(existing.value, digest);
    // An import was cut off between pointer and record: this one goes on where it ended.
  }
  return write(parts, wanted, pointer.key, digest);
}

async function write(
  parts: StoreParts,
  wanted: ForeignKey,
  id: string,
  digest: string,
): Promise<Answer<Imported>> {
  const created_at = wanted.created_at ?? new Date(parts.now()).toISOString();
  const stored: StoredKey = {
    id,
    tenant: wanted.tenant,
    name: wanted.name,
    status: wanted.is_active ? 'active' : 'disabled',
    origin: 'imported',
    ...allowanceOfForeign(wanted, parts.defaults.key),
    ...labelsOf(wanted.labels),
    policy: wanted.policy ?? parts.defaults.key.policy,
    oversize_rule: null,
    created_at,
    expires_at: wanted.expires_at,
    rotated_at: null,
    revision: 1,
    secrets: [{ digest, not_after: null }],
  };
  const created = await writeKey(parts, stored, wanted.used_quota);
  if (!created.ok) return created;
  return { ok: true, value: { outcome: created.value ? 'created' : 'unchanged', id, message: null } };
}

function allowanceOfForeign({ allowance, total_quota }: ForeignKey, defaults: Allowance): Allowance {
  const allowed = allowanceOf(allowance, defaults);
  if (total_quota === undefined) return allowed;
  const others = allowed.quotas.filter(({ period }) => period !== 'total');
  return allowanceOf({ quotas: [...others, { period: 'total', requests: total_quota }] }, allowed);
}

function known(existing: StoredKey, digest: string): Answer<Imported> {
  if (existing.status === 'revoked') return rejected('The key was revoked, which is for good.');
  if (!existing.secrets.some((secret) => secret.digest === digest)) {
    return rejected('The key was rotated away.');
  }
  return { ok: true, value: { outcome: 'unchanged', id: existing.id, message: null } };
}

function rejected(message: string): Answer<Imported> {
  return { ok: true, value: { outcome: 'refused', id: null, message } };
}
