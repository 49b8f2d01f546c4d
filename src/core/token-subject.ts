/**
 * For whom a token was issued, as far as limits, usage and jobs go. Wire shape: it lies in store with the jobs of its
 * caller, because a job runs when the token has long expired, and no key has a record from which to tell his rights.
 */
import { type AccessScope, accessScopes } from './access.ts';

export interface TokenSubject {
  /** `jwt_` and 24 hexadecimal digits, of issuer and subject together. It takes the place of a key's id. */
  readonly id: string;
  /** As the configuration names it. */
  readonly issuer: string;
  /** What the issuer calls it, for people. */
  readonly name: string;
  /** Of the configuration; null: what new keys get. */
  readonly plan: string | null;
  /** Instead of that of the plan; null: that of the plan. */
  readonly policy: string | null;
  /** Of those that the plan allows; null: all of them. */
  readonly models: readonly string[] | null;
  readonly scopes: readonly AccessScope[];
}

const idPattern = /^jwt_[0-9a-f]{24}$/;
const LIST_MAX = 1_000;

/** Undefined for what is none, or none that this release understands. */
export function readTokenSubject(value: unknown): TokenSubject | undefined {
  const { id, issuer, name, plan, policy, models, scopes } = Object(value);
  if (typeof id !== 'string' || !idPattern.test(id)) return undefined;
  if (typeof issuer !== 'string' || typeof name !== 'string') return undefined;
  if (!isTextOrNull(plan) || !isTextOrNull(policy)) return undefined;
  if (models !== null && !isTextList(models)) return undefined;
  if (!isTextList(scopes)) return undefined;
  return {
    ...{ id, issuer, name, plan, policy, models },
    scopes: accessScopes.filter((scope) => scopes.includes(scope)),
  };
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= LIST_MAX && value.every((one) => typeof one === 'string');
}
