/** How callers prove who they are. */
import type { Schema } from './schema.ts';

export const publicSecuritySchemes: Schema = {
  key: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, `slc_…`, as the official clients send it. `Authorization: <key>` works too.',
  },
  keyHeader: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'The same key.' },
  token: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'A token of an issuer that the configuration names under `auth.jwt`.',
  },
  signature: {
    type: 'apiKey',
    in: 'header',
    name: 'Signature',
    description:
      'RFC 9421 with `Signature-Input`: covers `@method`, `@authority`, `@path`, `@query` where there is one, and `content-digest` (RFC 9530) where there is a body; parameters `created`, `nonce` and `keyid`, the id of a signing key (Ed25519, or HMAC-SHA-256). A nonce counts once. No bearer is needed beside it.',
  },
};

export const publicSecurity: readonly Schema[] = [
  { key: [] },
  { keyHeader: [] },
  { token: [] },
  { signature: [] },
];

export const adminSecuritySchemes: Schema = {
  admin: {
    type: 'http',
    scheme: 'bearer',
    description:
      'The key of an admin, or `SLUICE_ADMIN_TOKEN`, which is an owner. `x-role` of an operation is the role that it needs: viewer, operator, owner; each may do what those before it may.',
  },
  browser: {
    type: 'http',
    scheme: 'basic',
    description: 'The same as the password, with any user name; for the board of the queue alone.',
  },
};

export const adminSecurity: readonly Schema[] = [{ admin: [] }];
