/** The schema of what is demanded of calls: for seeds and the admin API alike. Its messages follow the rule of schema.ts. */
import { z } from 'zod';
import { ALLOWED_ADDRESSES_MAX, accessScopes } from '../core/access.ts';
import { network } from './fields.ts';

/** Without defaults, because a change leaves what it does not name. */
export const accessRules = {
  allowed_addresses: z
    .array(network)
    .max(
      ALLOWED_ADDRESSES_MAX,
      `must have at most ${ALLOWED_ADDRESSES_MAX} entries; write networks, such as 10.0.0.0/8`,
    )
    .describe('Addresses and networks, IPv4 and IPv6, from which calls may come; empty: from anywhere.'),
  require_signature: z.boolean().describe('Calls that are not signed are refused.'),
  require_client_certificate: z
    .boolean()
    .describe('Calls on connections without a client certificate that the gateway has verified are refused.'),
};

export const requireJwt = z.boolean().describe('Keys of the tenant are refused; only tokens are taken.');

const TAGS_MAX = 20;
const TAG_LENGTH_MAX = 64;
const NOTE_LENGTH_MAX = 1_000;

/** Shown on terminals and pages: no control, direction or line-breaking characters, nor halves of one; lines of a note apart. */
const unseen = '\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}';
const tag = z
  .string()
  .regex(
    new RegExp(`^[^${unseen}\\s,](?:[^${unseen},]{0,${TAG_LENGTH_MAX - 2}}[^${unseen}\\s,])?$`, 'u'),
    `must be 1 to ${TAG_LENGTH_MAX} characters without commas, and without spaces at its ends`,
  );

/** What people write on a key, and what it may be used for. */
export const keyLabels = {
  note: z
    .string()
    .max(NOTE_LENGTH_MAX, `must be at most ${NOTE_LENGTH_MAX} characters`)
    .regex(new RegExp(`^[^${unseen}]*(?:\\n[^${unseen}]*)*$`, 'u'), 'must not hold control characters')
    .describe('For people.'),
  tags: z
    .array(tag)
    .max(TAGS_MAX, `must have at most ${TAGS_MAX} entries`)
    .refine((tags) => new Set(tags).size === tags.length, 'must not hold a tag twice')
    .describe('By which keys are found.'),
  scopes: z
    .array(z.enum(accessScopes))
    .min(1, 'must not be empty; disable the key instead')
    .refine((scopes) => new Set(scopes).size === scopes.length, 'must not hold a scope twice')
    .describe('What the key may be used for: inference, jobs, usage.'),
};

const given = z.object({ ...accessRules, ...keyLabels, require_jwt: requireJwt }).partial();

/** The first fault; what is absent is none, and other members are not looked at. */
export function accessFault(fields: object): { readonly path: string; readonly message: string } | undefined {
  const [issue] = given.safeParse(fields).error?.issues ?? [];
  return issue && { path: issue.path.join('.'), message: issue.message };
}
