/** What the admin API answers about keys, tenants and admins, held to the types that it is written by. */
import type { ListedAdmin } from '../../admission/admins/admin-store.ts';
import type { SigningKeyView } from '../../admission/signatures/administration.ts';
import { accessScopes } from '../../core/access.ts';
import { adminRoles } from '../../core/admin.ts';
import type { StoredAuditEntry } from '../../core/audit.ts';
import { type Quota, quotaPeriods } from '../../core/limits.ts';
import { jobWays, type ShownKey, type TenantRecord, tenantPriorities } from '../../core/principal.ts';
import { limitsSchema } from '../../http/openapi/public-answers.ts';
import {
  amount,
  constant,
  count,
  flag,
  list,
  mapping,
  nullable,
  oneOf,
  record,
  ref,
  type Schema,
  text,
  time,
} from '../../http/openapi/schema.ts';
import { signingAlgorithms } from '../../redis/signing-key-records.ts';

import { pageOf, wholeList } from './lists.ts';

const never = 'Null: never.';
const revision = count('Grows with every change.');

const access = {
  allowed_addresses: list(text(), 'Addresses and networks from which calls may come; empty: from anywhere.'),
  require_signature: flag(),
  require_client_certificate: flag(),
};

const models: Schema = {
  anyOf: [list(text()), mapping(ref('Limits')), { type: 'null' }],
  description: 'Names, or limits by name; null: all.',
};

const allowance = { limits: ref('Limits'), quotas: list(ref('Quota')), models };

const oversizeRule: Schema = {
  anyOf: [{ const: false }, { type: 'object' }, { type: 'null' }],
  description: 'From where on its requests are oversized, where that differs from their model.',
};

const keyFields = {
  id: text('`key_` and 12 characters; no secret.'),
  tenant: text(),
  name: text(),
  status: oneOf(['active', 'disabled', 'revoked']),
  note: text("For people; '': none."),
  tags: list(text()),
  scopes: list(oneOf(accessScopes)),
  ...access,
  ...allowance,
  policy: nullable(text(), 'Name of a policy; null: none.'),
  oversize_rule: oversizeRule,
  origin: oneOf(['generated', 'imported', 'environment'], 'How its secret came about.'),
  created_at: time(),
  expires_at: nullable(time(), never),
  rotated_at: nullable(time(), 'When the newest secret was made.'),
  revision,
  last_used_at: nullable(time(), 'About a minute late; null: never, as far as is known.'),
} as const satisfies { readonly [Name in keyof ShownKey]: Schema };

/** Answers to changes do not say when the key was last used. */
const key = record<ShownKey>(keyFields, { optional: ['last_used_at'] });
const issuedKey = record<ShownKey & { key: string }>(
  { ...keyFields, key: text('The key itself. Nobody can show it again.') },
  { optional: ['last_used_at'] },
);

const tenant = record<TenantRecord>({
  name: text(),
  status: oneOf(['active', 'disabled']),
  email: nullable(text(), 'Of no other tenant; null: none.'),
  ...access,
  require_jwt: flag('Keys are refused, and only tokens are taken.'),
  ...allowance,
  policy: nullable(text(), 'Name of a policy; null: none.'),
  answer_metadata: flag('JSON answers carry `metadata`.'),
  show_attempts: flag('Answers name the GPU servers that were tried.'),
  priority: oneOf(tenantPriorities),
  oversize: oneOf(jobWays),
  over_limit: oneOf(jobWays),
  hold_seconds: amount(),
  weight: amount(),
  created_at: time(),
  revision,
});

const quota = record<Quota>({
  period: oneOf(quotaPeriods),
  requests: nullable(count()),
  tokens: nullable(count()),
  images: nullable(count()),
  gpu_seconds: nullable(amount()),
  cost_usd: nullable(amount()),
});

const signingKeyFields = {
  id: text('`sgn_` and 12 characters: the `keyid` of its signatures.'),
  alg: oneOf(signingAlgorithms),
  public_key: nullable(text(), 'In base64url; null for a secret.'),
  note: text(),
  created_at: time(),
  expires_at: nullable(time(), 'Null: as long as the key.'),
};

const signingKey = record<SigningKeyView>(signingKeyFields);
const issuedSigningKey = record<SigningKeyView & { secret: string }>(
  { ...signingKeyFields, secret: text('Of HMAC. Nobody can show it again.') },
  { optional: ['secret'] },
);
const removedSigningKey = record<SigningKeyView & { deleted: boolean }>({
  ...signingKeyFields,
  deleted: constant(true),
});

const adminFields = {
  id: text('`adm_` and 12 characters; no secret.'),
  name: text(),
  role: oneOf(adminRoles),
  status: oneOf(['active', 'disabled', 'revoked']),
  created_at: time(),
  expires_at: nullable(time(), never),
  rotated_at: nullable(time(), 'When the newest secret was made.'),
  revision,
  last_used_at: nullable(time(), 'To about a minute; null: never.'),
} as const satisfies { readonly [Name in keyof ListedAdmin]: Schema };

const auditEntry = record<StoredAuditEntry>({
  id: text('Its place in the trail.'),
  at: time('By the clock of the gateway.'),
  actor: text('Id of the admin; `root`: the token of the environment.'),
  actor_name: text(),
  role: oneOf(adminRoles),
  address: text(),
  request_id: text(),
  action: text('Such as `key.update`.'),
  outcome: oneOf(
    ['done', 'unknown', 'refused'],
    '`unknown`: Redis did not answer, so it may have been done.',
  ),
  subject: mapping(text(), 'What it was done to, such as `{key, tenant}`.'),
  changes: mapping(
    record<{ before: unknown; after: unknown }>({ before: {}, after: {} }),
    'By the path of the field; null where there was, or is, nothing.',
  ),
  counts: mapping(count(), 'Of things done together.'),
});

export const accountSchemas: Readonly<Record<string, Schema>> = {
  Limits: limitsSchema,
  Quota: quota,
  Key: key,
  IssuedKey: issuedKey,
  KeyList: pageOf(ref('Key')),
  KeyImport: record<
    Readonly<Record<'object' | 'total' | 'created' | 'unchanged' | 'failed' | 'failures', unknown>>
  >({
    object: constant('key_import'),
    total: count(),
    created: count(),
    unchanged: count(),
    failed: count(),
    failures: list(
      record<{ line: number; reason: string }>({ line: count(), reason: text() }),
      'The first thousand.',
    ),
  }),
  SigningKey: signingKey,
  IssuedSigningKey: issuedSigningKey,
  RemovedSigningKey: removedSigningKey,
  SigningKeyList: wholeList(ref('SigningKey')),
  Tenant: tenant,
  TenantList: pageOf(ref('Tenant')),
  Admin: record<ListedAdmin>(adminFields, { optional: ['last_used_at'] }),
  IssuedAdmin: record<ListedAdmin & { key: string }>(
    { ...adminFields, key: text('The admin key itself. Nobody can show it again.') },
    { optional: ['last_used_at'] },
  ),
  AdminList: pageOf(ref('Admin')),
  AuditEntry: auditEntry,
  AuditList: pageOf(ref('AuditEntry')),
};
