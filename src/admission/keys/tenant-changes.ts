import { refusal } from '../../core/errors.ts';
import { allowanceOf, changedAllowance } from '../../core/limits.ts';
import type { TenantRecord } from '../../core/principal.ts';
import type { KeyResult, NewTenant, TenantChanges } from './key-administration.ts';
import { keyFieldFault } from './key-fields.ts';
import { untilWritten } from './optimistic-write.ts';
import type { StoreParts } from './store-parts.ts';
import { changedMeanwhile, noSuchTenant, refused, storeAway } from './store-refusals.ts';

type Result = KeyResult<{ readonly tenant: TenantRecord }>;

export async function createTenant(parts: StoreParts, wanted: NewTenant): Promise<Result> {
  const { name: tenantName, limits, quotas, models } = wanted;
  const fault = keyFieldFault({ tenant: tenantName, limits, quotas, models });
  if (fault) return refused(fault);
  const tenant = newTenant(parts, wanted);
  const created = await parts.table.createTenant(tenant);
  if (!created.ok) return storeAway();
  if (created.value) return { ok: true, tenant };
  return refused(
    refusal('conflict', `There is a tenant ${JSON.stringify(tenantName)} already.`, { param: 'name' }),
  );
}

export async function updateTenant(
  { table }: StoreParts,
  name: string,
  changes: TenantChanges,
): Promise<Result> {
  const fault = keyFieldFault({ limits: changes.limits, quotas: changes.quotas, models: changes.models });
  if (fault) return refused(fault);
  const result = await untilWritten<Result>(async () => {
    const found = await table.findTenant(name);
    if (!found.ok) return storeAway();
    if (!found.value) return noSuchTenant(name);
    const tenant = {
      ...found.value,
      ...changedAllowance(found.value, changes),
      status: changes.status ?? found.value.status,
      answer_metadata: changes.answer_metadata ?? found.value.answer_metadata,
      priority: changes.priority ?? found.value.priority,
      revision: found.value.revision + 1,
    };
    const replaced = await table.replaceTenant(tenant);
    if (!replaced.ok) return storeAway();
    return replaced.value ? { ok: true, tenant } : undefined;
  });
  return result ?? changedMeanwhile();
}

/** As it is written when it is named for the first time. */
export function newTenant({ defaults, now }: StoreParts, wanted: NewTenant): TenantRecord {
  return {
    name: wanted.name,
    status: 'active',
    answer_metadata: wanted.answer_metadata ?? false,
    priority: wanted.priority ?? 'normal',
    ...allowanceOf(wanted, defaults.tenant),
    created_at: new Date(now()).toISOString(),
    revision: 1,
  };
}
