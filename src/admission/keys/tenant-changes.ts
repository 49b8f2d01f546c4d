import type { TenantRecord } from '../../core/principal.ts';
import type { KeyResult } from './key-administration.ts';
import { untilWritten } from './optimistic-write.ts';
import type { StoreParts } from './store-parts.ts';
import { changedMeanwhile, noSuchTenant, storeAway } from './store-refusals.ts';

export async function setTenantStatus(
  { table }: StoreParts,
  name: string,
  status: TenantRecord['status'],
): Promise<KeyResult<{ readonly tenant: TenantRecord }>> {
  const result = await untilWritten<KeyResult<{ readonly tenant: TenantRecord }>>(async () => {
    const found = await table.findTenant(name);
    if (!found.ok) return storeAway();
    if (!found.value) return noSuchTenant(name);
    const tenant = { ...found.value, status, revision: found.value.revision + 1 };
    const replaced = await table.replaceTenant(tenant);
    if (!replaced.ok) return storeAway();
    return replaced.value ? { ok: true, tenant } : undefined;
  });
  return result ?? changedMeanwhile();
}
