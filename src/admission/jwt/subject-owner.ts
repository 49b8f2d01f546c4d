/** Whoever had a job taken in with a token: may he still call, now that the token itself has long expired? */
import type { TenantTerms } from '../../core/principal.ts';
import type { TokenSubject } from '../../core/token-subject.ts';
import type { KeyTable } from '../../redis/key-table.ts';
import { judgeOwner } from '../keys/judge-key.ts';
import type { DataInRedis } from '../keys/key-memory.ts';
import { invalidKey, keyCannotBeChecked } from '../keys/key-refusals.ts';
import type { Verdict } from '../verdict.ts';
import { findSubject, type SubjectConfig, subjectKey } from './subject-key.ts';

interface SubjectOwnerParts {
  readonly config: SubjectConfig;
  readonly table: Pick<KeyTable, 'findTenantVersioned'>;
  readonly termsWithoutRecord: (tenant: string) => TenantTerms;
  readonly data: Pick<DataInRedis, 'isTrusted'>;
}

/** Asks Redis each time, for at most the command time-out. Refusals as those of `Principals`. */
export async function findSubjectOwner(
  { config, table, termsWithoutRecord, data }: SubjectOwnerParts,
  tenant: string,
  subject: TokenSubject,
  nowMs: number,
): Promise<Verdict> {
  const stored = subjectKey(config, tenant, subject);
  // Another process may have a newer configuration than this one.
  if (!stored) return refused(keyCannotBeChecked('issuer or plan of the token are not configured here'));
  const found = await findSubject(table, config.tenants, stored);
  if (!found.ok) return refused(keyCannotBeChecked(found.failure.cause));
  if (!found.value) {
    return refused(
      data.isTrusted()
        ? invalidKey(`token: no such tenant ${subject.id}`)
        : keyCannotBeChecked('the data of the installation may be missing'),
    );
  }
  const verdict = judgeOwner(found.value, nowMs, termsWithoutRecord);
  return verdict.ok ? { ok: true, principal: { ...verdict.principal, subject } } : verdict;
}

function refused(refusal: Extract<Verdict, { ok: false }>['refusal']): Verdict {
  return { ok: false, refusal };
}
