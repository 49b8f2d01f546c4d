/** The schema of a policy. What single values do not show is checked in policy-references.ts and -parameters.ts. */
import { z } from 'zod';
import type { Policy } from '../core/policy.ts';
import { mediaHost, name, policyName } from './fields.ts';

const SYSTEM_BYTES_MAX = 32_768;
const SUFFIX_BYTES_MAX = 8_192;
const PARAMETERS_MAX = 256;

function textOf(bytesMax: number) {
  return z
    .string()
    .min(1)
    .refine((text) => Buffer.byteLength(text) <= bytesMax, {
      error: `is larger than ${bytesMax} bytes; shorten it`,
    });
}

const parameterName = z.string().max(128);

function parameters<Value extends z.ZodType>(value: Value) {
  return z.record(parameterName, value).refine((given) => Object.keys(given).length <= PARAMETERS_MAX, {
    error: `holds more than ${PARAMETERS_MAX} parameters; take some out`,
  });
}

export const policy = z
  .strictObject({
    name: policyName.describe('Tenants and keys refer to it.'),
    model: name.optional().describe('Every request gets this model, whatever it asks for.'),
    default_model: name.optional().describe('The model of requests that name none.'),
    defaults: parameters(z.unknown())
      .default({})
      .describe('Parameters for requests that leave them out. max_tokens is that of each operation.'),
    forced: parameters(z.unknown()).default({}).describe('Parameters for all requests.'),
    caps: parameters(z.number('must be a number; write the largest value that is allowed'))
      .default({})
      .describe('Largest values of numeric parameters; what is over one is lowered to it.'),
    removed: z
      .array(parameterName)
      .max(PARAMETERS_MAX)
      .default([])
      .describe('Fields that are taken out of requests.'),
    system_text: textOf(SYSTEM_BYTES_MAX).optional().describe('In front of the prompt.'),
    suffix_text: textOf(SUFFIX_BYTES_MAX)
      .optional()
      .describe('Behind the answer, streams too; may hold {tenant} and {request_id}. Never billed.'),
    media_hosts: z
      .array(mediaHost)
      .max(1_000)
      .optional()
      .describe('Hosts of images named by address, in place of media.allowed_hosts; []: none.'),
  })
  .transform(
    ({ name, model, default_model, system_text, suffix_text, media_hosts, ...rest }): Policy => ({
      name,
      model,
      default_model,
      ...rest,
      system_text,
      suffix_text,
      media_hosts,
    }),
  );
