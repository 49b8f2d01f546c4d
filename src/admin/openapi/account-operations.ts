/** Keys, tenants and admins. */
import { json } from '../../http/openapi/document.ts';
import { adminExamples as examples } from './examples.ts';
import { type AdminOperations, changed, found } from './operation.ts';

const keys: AdminOperations = {
  'POST /admin/v1/keys': {
    id: 'createKey',
    tag: 'Keys',
    summary: 'Make a key',
    description: 'The key itself stands in this answer alone. A tenant that is new is made on the way.',
    example: { tenant: 'acme', name: 'laptop', limits: { requests_per_minute: 600 }, expires_at: null },
    status: 201,
    content: json('IssuedKey', examples.issuedKey),
    errors: ['conflict'],
  },
  'GET /admin/v1/keys': {
    id: 'listKeys',
    tag: 'Keys',
    summary: 'List keys',
    description: 'The oldest first. A page may be shorter than its limit although more follow.',
    content: json('KeyList', examples.keyList),
  },
  'GET /admin/v1/keys/:id': {
    id: 'getKey',
    tag: 'Keys',
    summary: 'Look at a key',
    content: json('Key', examples.key),
    errors: found,
  },
  'PATCH /admin/v1/keys/:id': {
    id: 'updateKey',
    tag: 'Keys',
    summary: 'Change a key',
    description: 'What is not named stays. It holds on every replica within a second.',
    example: { limits: { requests_per_minute: 60 }, status: 'active' },
    content: json('Key', examples.key),
    errors: changed,
  },
  'POST /admin/v1/keys/:id/rotate': {
    id: 'rotateKey',
    tag: 'Keys',
    summary: 'Give a key a new secret',
    example: { overlap_seconds: 3_600 },
    content: json('IssuedKey', examples.issuedKey),
    errors: changed,
  },
  'DELETE /admin/v1/keys/:id': {
    id: 'revokeKey',
    tag: 'Keys',
    summary: 'Revoke a key for good',
    content: json('Key', { ...examples.key, status: 'revoked' }),
    errors: changed,
  },
  'POST /admin/v1/keys/import': {
    id: 'importKeys',
    tag: 'Keys',
    summary: 'Bring keys along',
    description:
      'As JSON, NDJSON or CSV. Repeating an import changes nothing; a row that is refused does not stop the others.',
    example: {
      form: { prefix: 'old-' },
      rows: [{ key: 'old-0123456789abcdef', tenant: 'acme', name: 'laptop', rate_limit: 60 }],
    },
    content: json('KeyImport', examples.keyImport),
    errors: ['conflict'],
  },
  'PUT /admin/v1/keys/:id/signing-keys': {
    id: 'putSigningKey',
    tag: 'Keys',
    summary: 'Add a key for signatures',
    description:
      'A public key, or an HMAC secret that the gateway makes. One that is there already is changed.',
    example: { alg: 'hmac-sha256', note: 'batch server' },
    content: json('IssuedSigningKey', examples.issuedSigningKey),
    also: { 201: 'IssuedSigningKey' },
    errors: changed,
  },
  'GET /admin/v1/keys/:id/signing-keys': {
    id: 'listSigningKeys',
    tag: 'Keys',
    summary: 'List the keys for signatures of a key',
    content: json('SigningKeyList', examples.signingKeyList),
    errors: found,
  },
  'DELETE /admin/v1/keys/:id/signing-keys/:signing_key': {
    id: 'removeSigningKey',
    tag: 'Keys',
    summary: 'Take a key for signatures away',
    content: json('RemovedSigningKey', { ...examples.signingKey, deleted: true }),
    errors: changed,
  },
};

const tenants: AdminOperations = {
  'POST /admin/v1/tenants': {
    id: 'createTenant',
    tag: 'Tenants',
    summary: 'Make a tenant',
    example: { name: 'acme', limits: { requests_per_minute: 6_000 }, priority: 'high' },
    status: 201,
    content: json('Tenant', examples.tenant),
    errors: ['conflict'],
  },
  'GET /admin/v1/tenants': {
    id: 'listTenants',
    tag: 'Tenants',
    summary: 'List tenants',
    content: json('TenantList', examples.tenantList),
  },
  'GET /admin/v1/tenants/:name': {
    id: 'getTenant',
    tag: 'Tenants',
    summary: 'Look at a tenant',
    content: json('Tenant', examples.tenant),
    errors: found,
  },
  'PATCH /admin/v1/tenants/:name': {
    id: 'updateTenant',
    tag: 'Tenants',
    summary: 'Change a tenant',
    description: '`disabled` refuses every key of the tenant, everywhere within a second.',
    example: { status: 'active', weight: 2 },
    content: json('Tenant', examples.tenant),
    errors: changed,
  },
};

const admins: AdminOperations = {
  'POST /admin/v1/admins': {
    id: 'createAdmin',
    tag: 'Admins',
    summary: 'Make an admin',
    description: 'The admin key stands in this answer alone.',
    example: { name: 'grafana', role: 'viewer', expires_at: null },
    status: 201,
    content: json('IssuedAdmin', examples.issuedAdmin),
    errors: ['conflict'],
  },
  'GET /admin/v1/admins': {
    id: 'listAdmins',
    tag: 'Admins',
    summary: 'List admins',
    content: json('AdminList', examples.adminList),
  },
  'GET /admin/v1/admins/:id': {
    id: 'getAdmin',
    tag: 'Admins',
    summary: 'Look at an admin',
    content: json('Admin', examples.admin),
    errors: found,
  },
  'PATCH /admin/v1/admins/:id': {
    id: 'updateAdmin',
    tag: 'Admins',
    summary: 'Change an admin',
    example: { role: 'operator' },
    content: json('Admin', examples.admin),
    errors: changed,
  },
  'POST /admin/v1/admins/:id/rotate': {
    id: 'rotateAdmin',
    tag: 'Admins',
    summary: 'Give an admin a new key',
    example: { overlap_seconds: 60 },
    content: json('IssuedAdmin', examples.issuedAdmin),
    errors: changed,
  },
  'DELETE /admin/v1/admins/:id': {
    id: 'revokeAdmin',
    tag: 'Admins',
    summary: 'Revoke an admin for good',
    content: json('Admin', { ...examples.admin, status: 'revoked' }),
    errors: changed,
  },
  'GET /admin/v1/audit': {
    id: 'listAuditEntries',
    tag: 'Admins',
    summary: 'What was changed, when, and by whom',
    description: 'The newest first; a page may be shorter than its limit although more follow.',
    content: json('AuditList', examples.auditList),
  },
};

export const accountOperations: AdminOperations = { ...keys, ...tenants, ...admins };
