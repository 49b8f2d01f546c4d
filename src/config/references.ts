/**
 * What no single value shows: names that must be unique or must exist, routes and ports that collide. Read from
 * the raw values with a tolerant schema, so that these findings come together with those of the strict one.
 */
import { z } from 'zod';
import { type Finding, formatPath, type Path, quoted } from './fault.ts';
import { configSchema } from './schema.ts';

const text = z.string().optional().catch(undefined);
const texts = z.array(text).catch([]);
const number = z.number().optional().catch(undefined);
const timeouts = z.object({ first_byte_ms: number, total_ms: number }).catch({});
const lease = z.object({ lease_seconds: number, heartbeat_seconds: number }).catch({});
const listener = z.object({ port: number }).catch({});

const outlineSchema = z.object({
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
  models: z
    .array(
      z
        .object({ name: text, aliases: texts, upstreams: texts, timeouts })
        .catch({ aliases: [], upstreams: [], timeouts: {} }),
    )
    .catch([]),
  default_model: text,
  routes: z
    .array(
      z
        .object({ path: text, methods: z.array(text).catch(['POST']), upstream: text, timeouts })
        .catch({ methods: [], timeouts: {} }),
    )
    .catch([]),
});

type Outline = z.output<typeof outlineSchema>;

/** @param raw File and environment together, before the schema has seen them. */
export function checkReferences(raw: Readonly<Record<string, unknown>>): Finding[] {
  const outline = outlineSchema.parse(raw);
  return [
    ...repeatedUpstreams(outline),
    ...unknownUpstreams(outline),
    ...ambiguousModels(outline),
    ...unknownDefaultModel(outline),
    ...collidingRoutes(outline),
    ...impossibleTimeouts(outline),
    ...equalPorts(outline),
    ...repeatedKeys(outline),
    ...shortLease(outline),
  ];
}

function twice(path: Path, name: string, first: Path, remedy: string): Finding {
  return { path, problem: `${quoted(name)} stands at ${formatPath(first)} already`, remedy };
}

function repeatedUpstreams({ upstreams }: Outline): Finding[] {
  const seen = new Map<string, Path>();
  return upstreams.flatMap(({ name }, index) => {
    const path = ['upstreams', index, 'name'];
    const first = name === undefined ? undefined : seen.get(name);
    if (name !== undefined && first)
      return [twice(path, name, first, 'give each upstream a name of its own')];
    if (name !== undefined) seen.set(name, path);
    return [];
  });
}

function unknownUpstreams({ upstreams, models, routes }: Outline): Finding[] {
  const known = new Set(upstreams.map(({ name }) => name));
  const check = (name: string | undefined, path: Path): Finding[] => {
    if (name === undefined || known.has(name)) return [];
    return [{ path, problem: `no upstream is named ${quoted(name)}`, remedy: orAdd(known, 'upstreams') }];
  };
  const ofModels = models.flatMap((model, index) =>
    model.upstreams.flatMap((name, position) => {
      const path = ['models', index, 'upstreams', position];
      const first = model.upstreams.indexOf(name);
      if (name !== undefined && first < position) {
        return [twice(path, name, ['models', index, 'upstreams', first], 'name each upstream once')];
      }
      return check(name, path);
    }),
  );
  return [
    ...ofModels,
    ...routes.flatMap((route, index) => check(route.upstream, ['routes', index, 'upstream'])),
  ];
}

const NAMES_SHOWN_MAX = 8;

function orAdd(known: Iterable<string | undefined>, section: string): string {
  const names = [...known].filter((name) => name !== undefined).slice(0, NAMES_SHOWN_MAX);
  return names.length === 0
    ? `add it under ${section}`
    : `name one of ${names.join(', ')}, or add it under ${section}`;
}

/** A name that a client sends must mean one model. */
function ambiguousModels({ models }: Outline): Finding[] {
  const findings: Finding[] = [];
  const names = new Map<string, Path>();
  for (const [index, { name }] of models.entries()) {
    if (name === undefined) continue;
    const path = ['models', index, 'name'];
    const first = names.get(name);
    if (first) findings.push(twice(path, name, first, 'give each model a name of its own'));
    else names.set(name, path);
  }
  const aliases = new Map<string, Path>();
  for (const [index, model] of models.entries()) {
    for (const [position, alias] of model.aliases.entries()) {
      if (alias === undefined) continue;
      const path = ['models', index, 'aliases', position];
      const first = names.get(alias) ?? aliases.get(alias);
      const remedy =
        alias === '*' ? 'let * stand for one model only' : 'remove it from one of the two places';
      if (first) findings.push(twice(path, alias, first, remedy));
      else aliases.set(alias, path);
    }
  }
  return findings;
}

/** Where an upstream serves whatever it lists, the name may turn out to be one of these. */
function unknownDefaultModel({ default_model: name, models, upstreams }: Outline): Finding[] {
  if (name === undefined || upstreams.some(({ discover }) => discover)) return [];
  if (models.some((model) => model.name === name || (name !== '*' && model.aliases.includes(name))))
    return [];
  const remedy = orAdd(new Set(models.map((model) => model.name)), 'models');
  return [{ path: ['default_model'], problem: `no model is named ${quoted(name)}`, remedy }];
}

function isBuiltIn(path: string): boolean {
  return path === '/' || path === '/health' || path === '/v1' || path.startsWith('/v1/');
}

function collidingRoutes({ routes }: Outline): Finding[] {
  const seen = new Map<string, Path>();
  return routes.flatMap(({ path: publicPath, methods }, index): Finding[] => {
    if (publicPath === undefined) return [];
    const path = ['routes', index, 'path'];
    if (isBuiltIn(publicPath)) {
      const problem = `${quoted(publicPath)} belongs to the gateway itself`;
      return [{ path, problem, remedy: 'choose a path other than /, /health and all under /v1' }];
    }
    return methods.flatMap((method) => {
      const call = `${method} ${publicPath}`;
      const first = seen.get(call);
      if (first) return [twice(path, call, first, 'give each method of a path to one route, once')];
      seen.set(call, path);
      return [];
    });
  });
}

function impossibleTimeouts({ timeouts: general, models, routes }: Outline): Finding[] {
  const standard = { ...configSchema.shape.timeouts.parse({}), ...given(general) };
  const places: [Path, Outline['timeouts']][] = [[['timeouts'], general]];
  for (const [index, model] of models.entries()) places.push([['models', index, 'timeouts'], model.timeouts]);
  for (const [index, route] of routes.entries()) places.push([['routes', index, 'timeouts'], route.timeouts]);
  return places.flatMap(([path, own]) => {
    const { first_byte_ms: firstByteMs, total_ms: totalMs } = { ...standard, ...given(own) };
    if (Object.keys(given(own)).length === 0 || firstByteMs <= totalMs) return [];
    const problem = `first_byte_ms is ${firstByteMs} here and above total_ms, ${totalMs}`;
    return [{ path, problem, remedy: 'set both, first_byte_ms to at most total_ms' }];
  });
}

function given(own: Outline['timeouts']): { first_byte_ms?: number; total_ms?: number } {
  return Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
}

function equalPorts({ listen, admin }: Outline): Finding[] {
  const publicPort = listen.port ?? configSchema.shape.listen.parse({}).port;
  const adminPort = admin.port ?? configSchema.shape.admin.parse({}).port;
  if (publicPort !== adminPort || publicPort === 0) return [];
  const path = admin.port === undefined ? ['listen', 'port'] : ['admin', 'port'];
  const problem = `public and admin listener share port ${publicPort}`;
  return [{ path, problem, remedy: 'give each listener a port of its own' }];
}

function repeatedKeys({ keys }: Outline): Finding[] {
  const seen = new Map<string, number>();
  return keys.environment.flatMap(({ key }, index) => {
    const first = key === undefined ? undefined : seen.get(key);
    if (key !== undefined && first === undefined) seen.set(key, index);
    if (first === undefined) return [];
    const problem = `is the same key as that of entry ${first + 1}`;
    return [{ path: ['keys', 'environment', index], problem, remedy: 'give each entry a key of its own' }];
  });
}

const LEASE_SPARE_SECONDS = 5;

/** A slot must outlive two heartbeats that are lost and the time that a new primary of Redis takes. */
function shortLease({ admission }: Outline): Finding[] {
  const standard = configSchema.shape.admission.parse({});
  const leaseSeconds = admission.lease_seconds ?? standard.lease_seconds;
  const heartbeatSeconds = admission.heartbeat_seconds ?? standard.heartbeat_seconds;
  const least = heartbeatSeconds * 2 + LEASE_SPARE_SECONDS;
  if (leaseSeconds >= least) return [];
  const place = admission.lease_seconds === undefined ? 'heartbeat_seconds' : 'lease_seconds';
  const problem = `a lease of ${leaseSeconds} s is too short for a heartbeat every ${heartbeatSeconds} s`;
  const remedy = `set lease_seconds to at least ${least}, two heartbeats and ${LEASE_SPARE_SECONDS} s, or heartbeat_seconds lower`;
  return [{ path: ['admission', place], problem, remedy }];
}
