import { pricesOf } from '../config/prices.ts';
import type { ModelConfig, TimeoutsConfig } from '../config/schema.ts';
import type { Prices } from '../core/money.ts';
import { type Member, membersFrom } from './member.ts';
import type { Pool } from './pool.ts';
import type { Upstream } from './upstream.ts';
import { byChance, byHash, hashOf, type Weighted } from './version-choice.ts';

/** One version of a model, with all that a call needs to know of it. It stays as it is, whatever is read anew. */
export interface Model {
  /** The public name, without the version. */
  readonly name: string;
  /** Undefined: the model has none. */
  readonly version: string | undefined;
  readonly pool: Pool;
  readonly timeouts: TimeoutsConfig;
  readonly contextLength: number | undefined;
  readonly prices: Prices;
  /** How long an answer serves equal requests; undefined: the model has no cache. */
  readonly cacheMs: number | undefined;
  /** What may answer in its place, best first, each model once; nothing is looked up before it is asked for. */
  fallbacks(stickyHash: number, random: () => number): Iterable<Model>;
}

export interface Version extends Weighted {
  readonly model: Model;
}

/** A name that clients may send, with the versions behind it; a model without versions has one that has no name. */
export interface PublicModel {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly contextLength: number | undefined;
  readonly sticky: ModelConfig['sticky'];
  readonly choice: ModelConfig['choice'];
  readonly sessionHeaders: readonly string[];
  readonly fallbackNames: readonly string[];
  readonly versions: readonly Version[];
}

interface Surroundings {
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly timeouts: TimeoutsConfig;
  fallbacksOf(name: string, stickyHash: number, random: () => number): Iterable<Model>;
}

export function publicModel(config: ModelConfig, surroundings: Surroundings): PublicModel {
  const { name, upstreams = [], versions = [{ name: undefined, weight: 1, upstreams }] } = config;
  const common = {
    name,
    timeouts: { ...surroundings.timeouts, ...config.timeouts },
    contextLength: config.context_length,
    prices: pricesOf(config.prices),
    cacheMs: config.cache && config.cache.seconds * 1_000,
    fallbacks: (stickyHash: number, random: () => number) =>
      surroundings.fallbacksOf(name, stickyHash, random),
  };
  return {
    name,
    aliases: config.aliases,
    contextLength: config.context_length,
    sticky: config.sticky,
    choice: config.choice,
    sessionHeaders: config.session_headers,
    fallbackNames: config.fallbacks,
    versions: versions.map((version) => {
      const poolName = version.name === undefined ? name : versionedName(name, version.name);
      const pool = poolOf(config, version, poolName, surroundings.upstreams);
      return {
        weight: version.weight,
        hash: hashOf(poolName),
        model: { ...common, version: version.name, pool },
      };
    }),
  };
}

/** What a client sends who wants this version and no other. */
export function versionedName(model: string, version: string): string {
  return `${model}@${version}`;
}

function poolOf(
  { name, upstream_model, choice, session_headers }: ModelConfig,
  version: {
    readonly name: string | undefined;
    readonly upstreams: Parameters<typeof membersFrom>[0]['configured'];
    readonly upstream_model?: string | undefined;
  },
  poolName: string,
  upstreams: ReadonlyMap<string, Upstream>,
): Pool {
  const upstreamModel = version.upstream_model ?? upstream_model ?? name;
  const { upstreams: configured, name: versionName } = version;
  const members = membersFrom({ configured, upstreams, upstreamModel, version: versionName });
  return { name: poolName, members, choice, sessionHeaders: session_headers };
}

/** The version that a call meets; undefined only where none has a weight. */
export function versionFor(
  { sticky, versions }: PublicModel,
  stickyHash: number,
  random: () => number,
): Model | undefined {
  if (versions.length === 1) return versions[0]?.model;
  return (sticky === 'key' ? byHash(versions, stickyHash) : byChance(versions, random))?.model;
}

/** All servers of all versions; one may stand in several. */
export function allMembers({ versions }: PublicModel): readonly Member[] {
  return versions.flatMap(({ model }) => model.pool.members);
}
