/** Values that stand at several places of the configuration. The messages follow the rule of schema.ts. */
import { isIP, isIPv4 } from 'node:net';
import { z } from 'zod';
import { tenantNamePattern } from '../core/principal.ts';

export const visible = /^[\x21-\x7e]+$/;

export const name = z
  .string()
  .min(1)
  .max(128)
  .regex(visible, 'must be visible ASCII without spaces; take letters, digits, dots and dashes');
/** A key or token that travels in a header. */
export const credential = z
  .string()
  .regex(visible, 'must be visible ASCII without spaces and line ends; copy it again');
export const upstreamPath = z
  .string()
  .regex(/^\/[\x21-\x7e]*$/, 'must begin with / and hold no spaces; write it as /predict')
  .refine((value) => !/[?#]/.test(value), 'must hold no ? or #; the query of the client is sent on');
/** From which images named by address may come. */
export const mediaHost = z
  .string()
  .regex(
    /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/,
    'must be a host; write it as images.example.com, or with a port as 10.0.0.9:9000 or [fd00::9]:9000',
  );
export const tenantName = z
  .string()
  .regex(
    tenantNamePattern,
    'must be 1 to 64 letters, digits or ._@+-, beginning with a letter or digit; rename the tenant',
  );
/** `none` is what the command line takes for no policy. */
export const policyName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'must be 1 to 64 letters, digits, dots, dashes or _, beginning with a letter or digit; write it as careful',
  )
  .refine((text) => text !== 'none', 'must not be none, which means no policy; choose another name');
function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  if (isIP(address) === 0 || address.includes('%') || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIPv4(address) ? 32 : 128));
}

/** A zone stands for a link of one machine, and no rule of a cluster can name it. */
export const network = z
  .string()
  .refine(isNetwork, 'must be an address or a network; write it as 10.0.0.7 or 10.0.0.0/8');

export const variablePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
export const variable = z
  .string()
  .regex(
    variablePattern,
    'must be the name of an environment variable; put the key into one and write its name here',
  );

export function parseHttpUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url && /^https?:\/\//i.test(text) && /^https?:$/.test(url.protocol) ? url : undefined;
}

/** Paths such as /v1/models are put behind it, so it is kept without a slash at its end. */
export const baseUrl = z
  .string()
  .refine((text) => parseHttpUrl(text) !== undefined, {
    error: 'must be an http:// or https:// address; write it as http://10.0.0.5:8000',
    abort: true,
  })
  .refine((text) => !parseHttpUrl(text)?.username && !parseHttpUrl(text)?.password, {
    error: 'must not hold a user name or password; put the key into a variable and name that in api_key_env',
    abort: true,
  })
  .refine((text) => !/[?#]/.test(text), 'must hold no ? or #; leave them out')
  .refine(
    (text) => !/\/v1\/*$/.test(text),
    'must not end in /v1; leave /v1 out, the gateway adds it to each path',
  )
  .overwrite((text) => text.replace(/\/+$/, ''));

const timeoutFields = {
  connect_ms: z
    .int()
    .min(10)
    .max(60_000)
    .describe('To open a connection; a GPU server in the same network answers in one.'),
  first_byte_ms: z
    .int()
    .min(10)
    .max(3_600_000)
    .describe('From sending the request to the first byte of the answer body; a long prompt takes its time.'),
  idle_ms: z.int().min(10).max(3_600_000).describe('Between two pieces of an answer that has begun.'),
  total_ms: z
    .int()
    .min(10)
    .max(86_400_000)
    .describe('The whole call; OpenAI clients give up after ten minutes themselves.'),
};

export const timeouts = z
  .strictObject({
    connect_ms: timeoutFields.connect_ms.default(2_000),
    first_byte_ms: timeoutFields.first_byte_ms.default(120_000),
    idle_ms: timeoutFields.idle_ms.default(60_000),
    total_ms: timeoutFields.total_ms.default(600_000),
  })
  .describe('Time-outs of a call to the GPU server.');

/** Without defaults: `.partial()` of the above would fill them in and hide the general values. */
export const timeoutDifferences = z.strictObject(timeoutFields).partial();
