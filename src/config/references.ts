/**
 * What no single value shows: names that must be unique or must exist, routes and ports that collide. Read from
 * the raw values with a tolerant schema, so that these findings come together with those of the strict one.
 */
import { type Finding, type Path, quoted } from './fault.ts';
import { checkModels, orAdd, twice } from './model-references.ts';
import { type Outline, outlineSchema } from './outline.ts';
import { checkPolicies } from './policy-references.ts';
import { configSchema } from './schema.ts';

/** @param raw File and environment together, before the schema has seen them. */
export function checkReferences(raw: Readonly<Record<string, unknown>>): Finding[] {
  const outline = outlineSchema.parse(raw);
  return [
    ...repeatedUpstreams(outline),
    ...unknownRouteUpstreams(outline),
    ...checkModels(outline),
    ...checkPolicies(outline),
    ...collidingRoutes(outline),
    ...impossibleTimeouts(outline),
    ...equalPorts(outline),
    ...repeatedKeys(outline),
    ...shortLease(outline),
  ];
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

function unknownRouteUpstreams({ upstreams, routes }: Outline): Finding[] {
  const known = new Set(upstreams.map(({ name }) => name));
  return routes.flatMap(({ upstream: name }, index) => {
    if (name === undefined || known.has(name)) return [];
    const path = ['routes', index, 'upstream'];
    return [{ path, problem: `no upstream is named ${quoted(name)}`, remedy: orAdd(known, 'upstreams') }];
  });
}

function isBuiltIn(path: string): boolean {
  return path === '/' || path === '/health' || path === '/v1' || path.startsWith('/v1/');
}

function isDocumentation(path: string): boolean {
  return path === '/docs' || path.startsWith('/docs/') || path === '/openapi.json';
}

function collidingRoutes({ routes, listen }: Outline): Finding[] {
  const seen = new Map<string, Path>();
  return routes.flatMap(({ path: publicPath, methods }, index): Finding[] => {
    if (publicPath === undefined) return [];
    const path = ['routes', index, 'path'];
    if (isBuiltIn(publicPath)) {
      const problem = `${quoted(publicPath)} belongs to the gateway itself`;
      return [{ path, problem, remedy: 'choose a path other than /, /health and all under /v1' }];
    }
    if (listen.docs && isDocumentation(publicPath)) {
      const problem = `${quoted(publicPath)} belongs to the documentation`;
      return [
        {
          path,
          problem,
          remedy: 'choose a path other than /openapi.json and all under /docs, or leave out listen.docs',
        },
      ];
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
