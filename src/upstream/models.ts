import type { UpstreamConfig } from '../config/schema.ts';
import { Catalog, type CatalogConfig } from './catalog.ts';
import type { Model, PublicModel } from './public-model.ts';
import { Upstream } from './upstream.ts';

export type { Model, PublicModel } from './public-model.ts';

/** What a reading of the configuration will lead to, before it counts. */
export interface Preparation {
  /** Servers that were not there before, or at another address or with another key. */
  readonly fresh: readonly Upstream[];
  /** From here on calls go by it; those in flight keep what they began with. */
  commit(): void;
}

/** The GPU servers and the models on them, as configured and as discovered. */
export class Models {
  #catalog: Catalog;

  constructor(config: CatalogConfig) {
    const upstreams = config.upstreams.map((one) => [one.name, upstreamFrom(one)] as const);
    this.#catalog = new Catalog(config, new Map(upstreams));
  }

  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.#catalog.upstreams;
  }

  /** All public names, without aliases and versions. */
  list(): readonly PublicModel[] {
    return this.#catalog.list();
  }

  /**
   * @param requested what the client sent, `model` or `model@version`; undefined if it named none
   * @param stickyHash `hashOf` the key's id: models that are sticky go by it
   * @param random from 0 to below 1: the others go by chance
   */
  resolve(requested: string | undefined, stickyHash: number, random: () => number): Model | undefined {
    return this.#catalog.resolve(requested, stickyHash, random);
  }

  /** True while a server that is to be asked for its models has never answered: a name may yet turn up. */
  get incomplete(): boolean {
    return this.#catalog.incomplete;
  }

  /** Takes over what the servers list by now. */
  refreshDiscovered(): void {
    this.#catalog.refreshDiscovered();
  }

  /**
   * A server whose name, address and key are the same stays the same object, with its connections, its health and its
   * load. Must be committed, or dropped, before the next one is prepared.
   */
  prepare(config: CatalogConfig): Preparation {
    const before = this.#catalog.upstreams;
    const fresh: Upstream[] = [];
    const kept: [Upstream, Upstream['settings']][] = [];
    const upstreams = new Map<string, Upstream>();
    for (const configured of config.upstreams) {
      const made = upstreamFrom(configured);
      const known = before.get(made.name);
      if (known && isSameServer(known, made)) kept.push([known, made.settings]);
      else fresh.push(made);
      upstreams.set(made.name, known && isSameServer(known, made) ? known : made);
    }
    const catalog = new Catalog(config, upstreams);
    const commit = () => {
      for (const [upstream, settings] of kept) upstream.settings = settings;
      this.#catalog = catalog;
      catalog.refreshDiscovered();
      for (const upstream of before.values()) {
        if (upstreams.get(upstream.name) !== upstream) void upstream.retire();
      }
    };
    return { fresh, commit };
  }

  async close(): Promise<void> {
    await Promise.all([...this.upstreams.values()].map((upstream) => upstream.close()));
  }
}

function isSameServer(one: Upstream, other: Upstream): boolean {
  return one.origin === other.origin && one.basePath === other.basePath && one.apiKey === other.apiKey;
}

function upstreamFrom({ name, url, api_key, discover, gpus, ...rest }: UpstreamConfig): Upstream {
  const { max_in_flight: maxInFlight, capacity, load_metrics, labels, health } = rest;
  const healthCheck = {
    path: health.path,
    timeoutMs: health.timeout_ms,
    completionModel: health.completion?.model,
  };
  return new Upstream({
    ...{ name, url, apiKey: api_key, discover, gpus, maxInFlight, capacity, labels, healthCheck },
    loadMetricsPath: load_metrics === false ? undefined : load_metrics,
  });
}
