import { refusal } from '../../core/errors.ts';
import { changedAllowance } from '../../core/limits.ts';
import type { TenantRecord } from '../../core/principal.ts';
import type { KeyResult, NewTenant, TenantChanges } from './key-administration.ts';
import { accessRulesOf, keyFieldFault } from './key-fields.ts';
import { untilWritten } from './optimistic-write.ts';
import { policyFault } from './policy-names.ts';
import type { StoreParts } from './store-parts.ts';
import { changedMeanwhile, noSuchTenant, refused, storeAway } from './store-refusals.ts';
import { claimEmail, releaseEmail } from './tenant-email.ts';
import { jobTermsOf, termsOf } from './tenant-terms.ts';

type Result = KeyResult<{ readonly tenant: TenantRecord }>;
type Updated = KeyResult<{ readonly tenant: TenantRecord; readonly before: TenantRecord }>;

export async function createTenant(parts: StoreParts, wanted: NewTenant): Promise<Result> {
  const { name: tenantName } = wanted;
  const fault =
    keyFieldFault({ ...wanted, name: undefined, tenant: tenantName }) ?? policyFault(parts, wanted.policy);
  if (fault) return refused(fault);
  const taken = await claimEmail(parts, tenantName, wanted.email);
  if (taken) return refused(taken);
  const tenant = newTenant(parts, wanted);
  const created = await parts.table.createTenant(tenant);
  if (!created.ok) return storeAway();
  if (created.value) return { ok: true, tenant };
  await releaseEmail(parts, tenantName, wanted.email);
  return refused(
    refusal('conflict', `There is a tenant ${JSON.stringify(tenantName)} already.`, { param: 'name' }),
  );
}

export async function updateTenant(
  parts: StoreParts,
  name: string,
  changes: TenantChanges,
): Promise<Updated> {
  const fault = keyFieldFault(changes) ?? policyFault(parts, changes.policy);
  if (fault) return refused(fault);
  const taken = await claimEmail(parts, name, changes.email);
  if (taken) return refused(taken);
  let emailBefore: string | null | undefined;
  const result = await untilWritten<Updated>(async () => {
    const found = await parts.table.findTenant(name);
    if (!found.ok) return storeAway();
    if (!found.value) return noSuchTenant(name);
    emailBefore = found.value.email;
    const tenant = changed(found.value, changes);
    const replaced = await parts.table.replaceTenant(tenant);
    if (!replaced.ok) return storeAway();
    return replaced.value ? { ok: true, tenant, before: found.value } : undefined;
  });
  if (changes.email !== undefined) {
    await releaseEmail(parts, name, result?.ok ? emailBefore : changes.email);
  }
  return result ?? changedMeanwhile();
}

function changed(before: TenantRecord, changes: TenantChanges): TenantRecord {
  return {
    ...before,
    ...changedAllowance(before, changes),
    status: changes.status ?? before.status,
    email: changes.email === undefined ? before.email : changes.email,
    policy: changes.policy === undefined ? before.policy : changes.policy,
    answer_metadata: changes.answer_metadata ?? before.answer_metadata,
    show_attempts: changes.show_attempts ?? before.show_attempts,
    priority: changes.priority ?? before.priority,
    ...jobTermsOf(changes, before),
    ...accessRulesOf(changes, before),
    require_jwt: changes.require_jwt ?? before.require_jwt,
    revision: before.revision + 1,
  };
}

/** As it is written when a key names it for the first time. A seed that was not sown yet must not come too late. */
export function tenantOnTheWay(parts: StoreParts, name: string): TenantRecord {
  return newTenant(parts, parts.seeds.get(name) ?? { name });
}

function newTenant({ defaults, now }: StoreParts, wanted: NewTenant): TenantRecord {
  return {
    name: wanted.name,
    status: 'active',
    email: wanted.email ?? null,
    ...termsOf(wanted, defaults.tenant),
    created_at: new Date(now()).toISOString(),
    revision: 1,
  };
}
