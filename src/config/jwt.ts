/** Callers with a token of an identity provider in place of a key. */
import { z } from 'zod';
import { credential, mediaHost, parseHttpUrl, policyName, tenantName, variable } from './fields.ts';
import { defaultTerms } from './tenants.ts';

const algorithms = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'] as const),
  ...(['EdDSA', 'HS256'] as const),
] as const;

export type TokenAlgorithm = (typeof algorithms)[number];

const USUAL: readonly TokenAlgorithm[] = ['RS256', 'ES256', 'EdDSA', 'PS256'];

const identifier = z.string().min(1).max(512);
const claim = z.string().min(1).max(256);
const httpUrl = z
  .string()
  .max(2_048)
  .refine((text) => parseHttpUrl(text) !== undefined, 'must be an https:// address; copy it from the issuer');

const claims = z
  .strictObject({
    tenant: claim.default('tenant').describe('Names the tenant, which has to exist.'),
    plan: claim.optional().describe('Names one of `plans`; a token without it has `plan` of the issuer.'),
    policy: claim.optional().describe('Names a policy, in place of that of the plan.'),
    models: claim.optional().describe('List of models, of those that the plan allows.'),
    scopes: claim
      .optional()
      .describe(
        'Such as scope: words or a list, of which inference, jobs and usage count. Default: all three are granted.',
      ),
  })
  .prefault({})
  .describe('In which claims of a token what stands.');

const issuer = z
  .strictObject({
    issuer: identifier.describe('Exactly as `iss` of its tokens.'),
    audience: z
      .union([identifier, z.array(identifier).min(1).max(20)])
      .describe('As `aud` of tokens that are meant for this gateway; of a list, any.'),
    jwks_url: httpUrl
      .optional()
      .describe('Where its public keys are. Default: found by OpenID Connect discovery under `issuer`.'),
    secret_env: variable
      .optional()
      .describe('In place of public keys: the variable with the secret, of at least 32 bytes, of HS256.'),
    secret: credential
      .min(32, 'must be at least 32 bytes; make one with: openssl rand -hex 32')
      .optional()
      .describe('Set from what secret_env names.'),
    algorithms: z
      .array(z.enum(algorithms))
      .min(1)
      .optional()
      .describe('Default: RS256, ES256, EdDSA and PS256; with a secret HS256, and never anything else.'),
    clock_tolerance_seconds: z
      .int()
      .min(0)
      .max(300)
      .default(30)
      .describe('By how much its clock may differ from ours.'),
    lifetime_seconds_max: z
      .int()
      .min(60)
      .max(31_536_000)
      .default(86_400)
      .describe('Tokens that live longer, from issue to expiry, are refused.'),
    tenant: tenantName.optional().describe('Of all its tokens; then no claim is looked at.'),
    tenants: z
      .array(tenantName)
      .min(1)
      .max(10_000)
      .optional()
      .describe('For which it may speak. Default: all.'),
    plan: z.string().min(1).max(64).optional().describe('Of tokens that name none; default: defaults.key.'),
    claims,
  })
  .superRefine(({ issuer: name, jwks_url, secret_env, secret, algorithms: allowed }, context) => {
    const fault = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const isShared = secret_env !== undefined || secret !== undefined;
    if (isShared && jwks_url !== undefined) {
      fault('jwks_url', 'must not stand beside secret_env; remove one of the two');
    }
    // Whoever knows a public key could sign with it as if it were the secret.
    if (allowed?.some((one) => (one === 'HS256') !== isShared)) {
      fault('algorithms', 'must be HS256 alone with a secret, and never HS256 without; correct the list');
    }
    if (!isShared && jwks_url === undefined && parseHttpUrl(name) === undefined) {
      fault('issuer', 'must be an https:// address where jwks_url is left out; name jwks_url');
    }
  })
  .transform(({ algorithms: given, audience, ...rest }) => ({
    ...rest,
    audience: typeof audience === 'string' ? [audience] : audience,
    algorithms: given ?? (rest.secret_env === undefined && rest.secret === undefined ? USUAL : HS256),
  }));

const HS256: readonly TokenAlgorithm[] = ['HS256'];

export const jwt = z
  .strictObject({
    issuers: z.array(issuer).min(1).max(50).describe('Whose tokens are taken.'),
    plans: z
      .record(policyName, defaultTerms)
      .optional()
      .transform((given) => given ?? {})
      .describe('Limits, quotas, models and policy by name, for claims.plan.'),
    allowed_hosts: z
      .array(mediaHost)
      .default([])
      .describe('Hosts of issuers that may speak plain http, such as an identity provider on this machine.'),
    refresh_seconds: z
      .int()
      .min(10)
      .max(86_400)
      .default(300)
      .describe('How often the public keys are fetched anew; an unknown one is looked for at once.'),
    stale_seconds: z
      .int()
      .min(0)
      .max(86_400)
      .default(3_600)
      .describe('How long they serve while the issuer does not answer; after that its tokens get 503.'),
    cached_max: z.int().min(100).max(1_000_000).default(10_000).describe('Checked tokens in memory.'),
  })
  .superRefine(({ issuers, plans, allowed_hosts }, context) => {
    for (const [index, { issuer: name, plan, jwks_url, secret_env, secret }] of issuers.entries()) {
      const fault = (path: string, message: string) =>
        context.addIssue({ code: 'custom', path: ['issuers', index, path], message });
      if (issuers.findIndex((other) => other.issuer === name) !== index) {
        fault('issuer', 'must be another than that of an issuer before; join the two');
      }
      if (plan !== undefined && !Object.hasOwn(plans, plan)) {
        fault('plan', 'must be one of plans; add it there');
      }
      if (secret_env !== undefined || secret !== undefined) continue;
      const url = parseHttpUrl(jwks_url ?? name);
      if (
        url?.protocol === 'http:' &&
        !allowed_hosts.some((host) => [url.host, url.hostname].includes(host))
      ) {
        fault(
          jwks_url === undefined ? 'issuer' : 'jwks_url',
          'must be https://; or list its host in auth.jwt.allowed_hosts',
        );
      }
    }
  })
  .describe('Callers with a token of an identity provider in place of a key.');
