/** The GPU servers, and the models on them: which servers serve what, and how calls are shared out among them. */
import { z } from 'zod';
import { dispatched } from './dispatched.ts';
import { baseUrl, credential, name, timeoutDifferences, variable, visible } from './fields.ts';
import { oversizeDifferences } from './jobs.ts';
import { modelPrices } from './prices.ts';

const servedName = z.string().min(1).max(1024);

const labels = z.record(
  z.string(),
  z
    .string()
    .min(1)
    .max(128)
    .regex(visible, 'must be visible ASCII without spaces; take letters, digits, dots and dashes'),
);

const health = z.strictObject({
  path: z
    .string()
    .regex(/^\/[^\s?#]*$/, 'must be a path without spaces, ? and #; write it as /health')
    .max(1024)
    .default('/health')
    .describe('What the probes ask; any answer below 500 means that the server is well.'),
  timeout_ms: z
    .int()
    .min(10)
    .max(60_000)
    .default(1_000)
    .describe('A probe that takes longer has failed; the time-outs of calls do not apply to it.'),
  completion: z
    .strictObject({ model: servedName.describe('As the server calls it.') })
    .optional()
    .describe('Asks for one token of a model as well, which finds a server that is up but does not compute.'),
});

const noMetrics = z.literal(false);
const loadMetrics = z
  .string('must be a path or false; write it as /metrics')
  .regex(/^\/[^\s?#]*$/, 'must be a path without spaces, ? and #, or false; write it as /metrics')
  .max(1_024, 'must be at most 1024 characters; shorten it');

export const upstream = z.strictObject({
  name: name.describe('Stands in logs and metrics.'),
  url: baseUrl.describe('Base address without /v1, such as http://10.0.0.5:8000.'),
  api_key_env: variable
    .optional()
    .describe('Environment variable that holds the key that this server wants.'),
  api_key: credential
    .optional()
    .describe('Filled in from api_key_env or UPSTREAM_API_KEY; it never stands in a file.'),
  discover: z
    .boolean()
    .default(false)
    .describe('Serve every model that it lists at /v1/models under its own name.'),
  gpus: z.int().min(0).max(1024).default(1).describe('How many GPUs work on each of its calls.'),
  max_in_flight: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe('Calls of one gateway that it works on at once; left out: any number.'),
  capacity: z
    .number()
    .gt(0)
    .max(1_000_000)
    .optional()
    .describe(
      'Calls, of all gateways together, that keep it fully busy: for the metric of servers wanted. Workers run no more jobs there; callers it does not bound.',
    ),
  load_metrics: dispatched([noMetrics, loadMetrics], (value) => (value === false ? noMetrics : loadMetrics))
    .default('/metrics')
    .describe('Path of its Prometheus metrics, for the calls that it runs and holds back; false: not read.'),
  labels: labels.default({}).describe('For operators: where it stands, what it runs.'),
  health: health.prefault({}),
});

const memberWeight = 'must be a number above 0 and up to 1000; leave a server out that shall get nothing';

/** The messages are all here, because the place that an issue names is not in the schema's outline. */
const member = z.strictObject(
  {
    name,
    weight: z.number(memberWeight).gt(0, memberWeight).max(1_000, memberWeight).default(1),
    upstream_model: z
      .string('must be text; write the name that the server gives the model')
      .min(1, 'must not be empty; leave it out')
      .max(1_024, 'must be at most 1024 characters; shorten it')
      .optional(),
  },
  {
    error: ({ code }) =>
      code === 'invalid_type'
        ? 'must be the name of a server or a mapping; write it as gpu-1 or {name: gpu-1, weight: 2}'
        : undefined,
  },
);
const bareMember = name.transform((text): z.output<typeof member> => ({ name: text, weight: 1 }));
const members = z
  .array(dispatched([bareMember, member], (value) => (typeof value === 'string' ? bareMember : member)))
  .min(1);

const version = z.strictObject({
  name: z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9._-]+$/, 'must be letters, digits, dots, dashes and _; write it as v2')
    .describe(
      'A client may ask for it as model@version; usage and the models of keys do not tell versions apart.',
    ),
  weight: z
    .number()
    .min(0)
    .max(1_000)
    .default(1)
    .describe('Its share, against the other versions; 0: only for clients that ask for it by name.'),
  upstreams: members.describe('The servers of its pool, by name, or {name, weight, upstream_model}.'),
  upstream_model: servedName.optional().describe('What its servers call it; default: as for the model.'),
});

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/, 'must be letters, digits and dashes; write it as x-session-id')
  .overwrite((text) => text.toLowerCase());

export const model = z.strictObject({
  name: name
    .refine((text) => text !== '*', 'must not be *; put * into the aliases of the model that it stands for')
    .describe('The public name.'),
  aliases: z
    .array(name)
    .default([])
    .describe('Other names that clients may send; * stands for any name that no other model has.'),
  upstreams: members
    .optional()
    .describe('The servers of its pool, by name, or {name, weight, upstream_model}; or name versions.'),
  versions: z
    .array(version)
    .min(1)
    .optional()
    .describe('In place of upstreams: several pools, between which calls are shared out by weight.'),
  sticky: z
    .enum(['none', 'key'])
    .default('none')
    .describe('key: all calls of a key meet the same version, as long as the weights stay.'),
  upstream_model: servedName
    .optional()
    .describe('What the server calls it, such as a long path; default: the public name.'),
  choice: z
    .enum(['affinity', 'least_load'])
    .default('affinity')
    .describe(
      'affinity: calls with a common beginning meet the same server and its warm cache, within bounds of load.',
    ),
  session_headers: z
    .array(headerName)
    .max(8)
    .default(['x-session-id'])
    .describe('Headers that name a conversation; the first that a call has decides the affinity.'),
  fallbacks: z
    .array(name)
    .max(16)
    .default([])
    .describe('Models, by public name, that answer in turn when no server of this one can.'),
  context_length: z
    .int()
    .min(1)
    .max(100_000_000)
    .optional()
    .describe('Tokens of prompt and answer together; shown in /v1/models.'),
  cache: z
    .strictObject({
      seconds: z
        .int()
        .min(1)
        .max(2_592_000)
        .describe('How long an answer serves equal requests of its tenant.'),
    })
    .optional()
    .describe(
      'Answers requests at temperature 0, or with Cache-Control: max-age, from a cache; left out: none.',
    ),
  oversize: oversizeDifferences
    .optional()
    .describe('Differences from jobs.oversize; false: no request for it becomes a job by its size.'),
  prices: modelPrices.optional(),
  timeouts: timeoutDifferences.optional().describe('Differences from the general time-outs.'),
});

/** A model that nobody has configured: a server lists it. */
export function listedModel(
  listed: Pick<z.output<typeof model>, 'name' | 'context_length'>,
  upstreams: readonly string[],
): z.output<typeof model> {
  return { ...model.parse({ name: 'listed', upstreams }), ...listed };
}

export type MemberConfig = z.output<typeof member>;

interface Pooled {
  readonly upstreams?: readonly MemberConfig[] | undefined;
  readonly versions?: readonly { readonly upstreams: readonly MemberConfig[] }[] | undefined;
}

/** Every server of a model, of whichever version. */
export function membersOf({ upstreams = [], versions = [] }: Pooled): readonly MemberConfig[] {
  return [...upstreams, ...versions.flatMap((one) => one.upstreams)];
}
