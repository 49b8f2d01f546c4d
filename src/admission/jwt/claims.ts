/** From the claims of a token that is good to whom it stands for. Pure. */
import { hash } from 'node:crypto';
import type { Config } from '../../config/schema.ts';
import { accessScopes } from '../../core/access.ts';
import { tenantNamePattern } from '../../core/principal.ts';
import type { TokenSubject } from '../../core/token-subject.ts';

type JwtConfig = NonNullable<Config['auth']['jwt']>;
export type IssuerConfig = JwtConfig['issuers'][number];
export type Plans = JwtConfig['plans'];

/** `reason`: for the log, in words of ours alone. */
export type Claimed =
  | { readonly ok: true; readonly tenant: string; readonly subject: TokenSubject }
  | { readonly ok: false; readonly reason: string };

const SUBJECT_MAX = 256;
const NAME_MAX = 100;
const MODELS_MAX = 1_000;
const TEXT_MAX = 128;

/** @param claims of a token whose signature, issuer, audience and times have been checked */
export function claimedSubject(
  claims: Readonly<Record<string, unknown>>,
  issuer: IssuerConfig,
  plans: Plans,
): Claimed {
  const of = (name: string | undefined) => (name === undefined ? undefined : claims[name]);
  const { sub } = claims;
  if (typeof sub !== 'string' || sub === '' || sub.length > SUBJECT_MAX) return no('no subject');
  const tenant = issuer.tenant ?? of(issuer.claims.tenant);
  if (typeof tenant !== 'string' || !tenantNamePattern.test(tenant)) return no('no tenant');
  if (issuer.tenants && !issuer.tenants.includes(tenant)) return no('not its tenant');
  const plan = of(issuer.claims.plan) ?? issuer.plan ?? null;
  if (plan !== null && !(typeof plan === 'string' && Object.hasOwn(plans, plan))) return no('unknown plan');
  const policy = of(issuer.claims.policy) ?? null;
  if (policy !== null && !isText(policy)) return no('no policy');
  const models = of(issuer.claims.models) ?? null;
  if (models !== null && !isTextList(models)) return no('no list of models');
  const scopes = issuer.claims.scopes === undefined ? accessScopes : grantedScopes(of(issuer.claims.scopes));
  const subject: TokenSubject = {
    id: `jwt_${hash('sha256', JSON.stringify([issuer.issuer, sub])).slice(0, 24)}`,
    issuer: issuer.issuer,
    name: sub.slice(0, NAME_MAX),
    ...{ plan, policy, models, scopes },
  };
  return { ok: true, tenant, subject };
}

/** Words with spaces between them, or a list. Whoever has none of ours may do nothing. */
function grantedScopes(granted: unknown): TokenSubject['scopes'] {
  const words = typeof granted === 'string' ? granted.split(' ') : Array.isArray(granted) ? granted : [];
  return accessScopes.filter((scope) => words.includes(scope));
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= TEXT_MAX;
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MODELS_MAX && value.every(isText);
}

function no(what: string): Claimed {
  return { ok: false, reason: `token: ${what}` };
}
