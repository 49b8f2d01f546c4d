/**
 * The subject of a token in the form of a key that nobody has made: so limits, policies, usage and jobs need to know
 * nothing of tokens. Its tenant is looked up like that of any key, and has to exist.
 */
import type { Config } from '../../config/schema.ts';
import { noAccessRules } from '../../core/access.ts';
import { type ModelAccess, namesOfModels } from '../../core/limits.ts';
import type { TokenSubject } from '../../core/token-subject.ts';
import type { StoredKey } from '../../redis/key-records.ts';
import type { KeyTable } from '../../redis/key-table.ts';
import type { FoundAnswer } from '../keys/key-lookup.ts';

export type SubjectConfig = Pick<Config, 'auth' | 'defaults' | 'tenants'>;

const BEGINNING = new Date(0).toISOString();

/** Undefined: the configuration does not name its issuer or its plan, or not any more. */
export function subjectKey(
  { auth, defaults }: SubjectConfig,
  tenant: string,
  subject: TokenSubject,
): StoredKey | undefined {
  const { jwt } = auth;
  if (!jwt?.issuers.some(({ issuer }) => issuer === subject.issuer)) return undefined;
  const terms = subject.plan === null ? defaults.key : planOf(jwt.plans, subject.plan);
  if (!terms) return undefined;
  return {
    ...noAccessRules,
    id: subject.id,
    tenant,
    name: subject.name,
    status: 'active',
    note: '',
    tags: [],
    scopes: subject.scopes,
    limits: terms.limits,
    quotas: terms.quotas,
    models: narrowed(terms.models, subject.models),
    policy: subject.policy ?? terms.policy,
    oversize_rule: null,
    // Like those keys it holds while the configuration says so, and lies nowhere.
    origin: 'environment',
    created_at: BEGINNING,
    expires_at: null,
    rotated_at: null,
    revision: 1,
    secrets: [],
  };
}

/** A tenant that has no record, and is no seed that is still to be sown, does not exist. */
export async function findSubject(
  table: Pick<KeyTable, 'findTenantVersioned'>,
  tenants: Config['tenants'],
  stored: StoredKey,
): Promise<FoundAnswer> {
  const found = await table.findTenantVersioned(stored.tenant);
  if (!found.ok) return found;
  const isThere = found.value.tenant !== undefined || tenants.some(({ name }) => name === stored.tenant);
  return { ok: true, value: isThere ? { stored, ...found.value } : undefined };
}

function planOf<Plan>(plans: Readonly<Record<string, Plan>>, name: string): Plan | undefined {
  return Object.hasOwn(plans, name) ? plans[name] : undefined;
}

/** A token never allows more than its plan. */
function narrowed(ofPlan: ModelAccess, ofToken: readonly string[] | null): ModelAccess {
  if (ofToken === null) return ofPlan;
  const names = namesOfModels(ofPlan);
  if (names === undefined || ofPlan === null) return ofToken;
  const both = names.filter((name) => ofToken.includes(name));
  if (names === ofPlan) return both;
  return Object.fromEntries(Object.entries(ofPlan).filter(([name]) => both.includes(name)));
}
