import { refusal } from '../../core/errors.ts';
import { changedAllowance } from '../../core/limits.ts';
import type { TenantRecord } from '../../core/principal.ts';
import type { KeyResult, NewTenant, TenantChanges } from './key-administration.ts';
import { keyFieldFault } from './key-fields.ts';
import { untilWritten } from './optimistic-write.ts';
import { policyFault } from './policy-names.ts';
import type { StoreParts } from './store-parts.ts';
import { changedMeanwhile, noSuchTenant, refused, storeAway } from './store-refusals.ts';
import { jobTermsOf, termsOf } from './tenant-terms.ts';

type Result = KeyResult<{ readonly tenant: TenantRecord }>;

export async function createTenant(parts: StoreParts, wanted: NewTenant): Promise<Result> {
  const { name: tenantName, limits, quotas, models } = wanted;
  const fault =
    keyFieldFault({ tenant: tenantName, limits, quotas, models }) ?? policyFault(parts, wanted.policy);
  if (fault) return refused(fault);
  const tenant = newTenant(parts, wanted);
  const created = await parts.table.createTenant(tenant);
  if (!created.ok) return storeAway();
  if (created.value) return { ok: true, tenant };
  return refused(
    refusal('conflict', `There is a tenant ${JSON.stringify(tenantName)} already.`, { param: 'name' }),
  );
}

export async function updateTenant(parts: StoreParts, name: string, changes: TenantChanges): Promise<Result> {
  const { table } = parts;
  const { limits, quotas, models } = changes;
  const fault = keyFieldFault({ limits, quotas, models }) ?? policyFault(parts, changes.policy);
  if (fault) return refused(fault);
  const result = await untilWritten<Result>(async () => {
    const found = await table.findTenant(name);
    if (!found.ok) return storeAway();
    if (!found.value) return noSuchTenant(name);
    const tenant = {
      ...found.value,
      ...changedAllowance(found.value, changes),
      status: changes.status ?? found.value.status,
      policy: changes.policy === undefined ? found.value.policy : changes.policy,
      answer_metadata: changes.answer_metadata ?? found.value.answer_metadata,
      show_attempts: changes.show_attempts ?? found.value.show_attempts,
      priority: changes.priority ?? found.value.priority,
      ...jobTermsOf(changes, found.value),
      revision: found.value.revision + 1,
    };
    const replaced = await table.replaceTenant(tenant);
    if (!replaced.ok) return storeAway();
    return replaced.value ? { ok: true, tenant } : undefined;
  });
  return result ?? changedMeanwhile();
}

/** As it is written when a key names it for the first time. A seed that was not sown yet must not come too late. */
export function tenantOnTheWay(parts: StoreParts, name: string): TenantRecord {
  return newTenant(parts, parts.seeds.get(name) ?? { name });
}

function newTenant({ defaults, now }: StoreParts, wanted: NewTenant): TenantRecord {
  return {
    name: wanted.name,
    status: 'active',
    ...termsOf(wanted, defaults.tenant),
    created_at: new Date(now()).toISOString(),
    revision: 1,
  };
}
