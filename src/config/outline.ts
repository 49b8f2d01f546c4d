/** The raw values as far as they refer to each other, read with a tolerance that the strict schema does not have. */
import { z } from 'zod';

const text = z.string().optional().catch(undefined);
const texts = z.array(text).catch([]);
const number = z.number().optional().catch(undefined);
const timeouts = z.object({ first_byte_ms: number, total_ms: number }).catch({});
const lease = z.object({ lease_seconds: number, heartbeat_seconds: number }).catch({});
const listener = z.object({ port: number, docs: z.boolean().optional().catch(undefined) }).catch({});

/** A name, or a mapping with one. */
const member = z
  .union([z.string(), z.object({ name: text }).transform(({ name }) => name)])
  .optional()
  .catch(undefined);
const members = z.array(member).catch([]);

const version = z.object({ name: text, weight: number, upstreams: members }).catch({ upstreams: [] });
const model = z
  .object({
    name: text,
    aliases: texts,
    upstreams: members.optional(),
    versions: z.array(version).optional().catch([]),
    fallbacks: texts,
    timeouts,
  })
  .catch({ aliases: [], upstreams: [], fallbacks: [], timeouts: {} });

const route = z
  .object({ path: text, methods: z.array(text).catch(['POST']), upstream: text, timeouts })
  .catch({ methods: [], timeouts: {} });

const named = z.object({ name: text, policy: text }).catch({});
const terms = z.object({ policy: text }).catch({});

/** Plans of tokens. */
const auth = z
  .object({ jwt: z.object({ plans: z.record(z.string(), terms).catch({}) }).catch({ plans: {} }) })
  .catch({ jwt: { plans: {} } });

export const outlineSchema = z.object({
  auth,
  listen: listener,
  admin: listener,
  admission: lease.optional().transform((given) => given ?? {}),
  timeouts,
  keys: z
    .object({ environment: z.array(z.object({ key: text }).catch({})).catch([]) })
    .catch({ environment: [] }),
  upstreams: z
    .array(z.object({ name: text, discover: z.boolean().catch(false) }).catch({ discover: false }))
    .catch([]),
  models: z.array(model).catch([]),
  default_model: text,
  defaults: z.object({ key: terms, tenant: terms }).catch({ key: {}, tenant: {} }),
  tenants: z.array(named).catch([]),
  policies: z.array(z.record(z.string(), z.unknown()).catch({})).catch([]),
  caps: z.object({ n: number, max_tokens: number, stop: number, logprobs: number }).catch({}),
  routes: z.array(route).catch([]),
});

export type Outline = z.output<typeof outlineSchema>;
export type PolicyOutline = Outline['policies'][number];
export type ModelOutline = Outline['models'][number];
