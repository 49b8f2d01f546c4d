/** What a running gateway takes from a configuration that it reads anew, and what differs between two of them. */
import { isDeepStrictEqual } from 'node:util';
import type { Policy } from '../core/policy.ts';
import type { Config, UpstreamConfig } from './schema.ts';

/** All other sections are read at the start only. */
const liveSections = [
  'upstreams',
  'models',
  'default_model',
  'policies',
  'timeouts',
  'caps',
  'media',
] as const;

export type LiveConfig = Pick<Config, (typeof liveSections)[number]>;

export interface ConfigChange {
  /** `models.glm`, `upstreams.gpu-1`, `caps`. Names and fields only: some values are secrets. */
  readonly what: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Of what has changed. */
  readonly fields: readonly string[];
}

/**
 * What the gateway shall work with. Routes stay as they were at the start, so a server that one of them leads to
 * stays too, although the new configuration has no use for it; likewise a policy that the defaults of keys and
 * tenants name, or a plan of tokens.
 */
export function liveConfig(started: Config, before: LiveConfig, next: Config): LiveConfig {
  const { upstreams, models, default_model, timeouts, caps, media } = next;
  const routed = new Set(started.routes.map(({ upstream }) => upstream));
  const named = new Set(upstreams.map(({ name }) => name));
  const left = before.upstreams.filter(({ name }) => routed.has(name) && !named.has(name));
  const policies = [...next.policies, ...policiesLeft(started, before, next)];
  return { upstreams: [...upstreams, ...left], models, default_model, timeouts, caps, media, policies };
}

function policiesLeft(
  { auth, defaults, tenants }: Config,
  before: LiveConfig,
  next: Config,
): readonly Policy[] {
  const plans = Object.values(auth.jwt?.plans ?? {});
  const wanted = new Set([defaults.key, defaults.tenant, ...tenants, ...plans].map(({ policy }) => policy));
  const named = new Set(next.policies.map(({ name }) => name));
  return before.policies.filter(({ name }) => wanted.has(name) && !named.has(name));
}

/** Sections of the new configuration that the running process does not have. */
export function needsRestart(started: Config, next: Config): string[] {
  const isLive = (section: string) => liveSections.some((one) => one === section);
  return [...new Set([...Object.keys(started), ...Object.keys(next)])].filter((section) => {
    const key = section as keyof Config;
    return !isLive(section) && !isDeepStrictEqual(started[key], next[key]);
  });
}

export function changesBetween(before: LiveConfig, next: LiveConfig): ConfigChange[] {
  return [
    ...changesOfList('upstreams', before.upstreams, next.upstreams),
    ...changesOfList('models', before.models, next.models),
    ...changesOfList('policies', before.policies, next.policies),
    ...changesOfValue('default_model', before.default_model, next.default_model),
    ...(['timeouts', 'caps', 'media'] as const).flatMap((section) =>
      changesOfValue(section, before[section], next[section]),
    ),
  ];
}

type Named = UpstreamConfig | LiveConfig['models'][number] | Policy;

function changesOfList(section: string, before: readonly Named[], next: readonly Named[]): ConfigChange[] {
  const old = new Map(before.map((one) => [one.name, one]));
  const young = new Map(next.map((one) => [one.name, one]));
  return [...new Set([...old.keys(), ...young.keys()])].flatMap((name) =>
    changesOfValue(`${section}.${name}`, old.get(name), young.get(name)),
  );
}

function changesOfValue(what: string, before: unknown, next: unknown): ConfigChange[] {
  if (isDeepStrictEqual(before, next)) return [];
  if (before === undefined) return [{ what, change: 'added', fields: [] }];
  if (next === undefined) return [{ what, change: 'removed', fields: [] }];
  return [{ what, change: 'changed', fields: differingFields(before, next) }];
}

function differingFields(before: unknown, next: unknown): string[] {
  if (typeof before !== 'object' || typeof next !== 'object' || before === null || next === null) return [];
  const fields = new Set([...Object.keys(before), ...Object.keys(next)]);
  return [...fields].filter(
    (field) => !isDeepStrictEqual(Reflect.get(before, field), Reflect.get(next, field)),
  );
}
