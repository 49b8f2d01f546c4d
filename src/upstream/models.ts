import type { Config, ModelConfig, TimeoutsConfig } from '../config/schema.ts';
import { Upstream } from './upstream.ts';

/** A name that clients may send, with all that it leads to. */
export interface Model {
  /** The public name. */
  readonly name: string;
  /** What its servers call it. */
  readonly upstreamModel: string;
  readonly pool: readonly Upstream[];
  readonly timeouts: TimeoutsConfig;
  readonly contextLength: number | undefined;
}

/** The GPU servers and the models on them, as configured and as discovered. */
export class Models {
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly #configured: readonly Model[];
  readonly #byName = new Map<string, Model>();
  readonly #wildcard: Model | undefined;
  readonly #defaultName: string | undefined;
  readonly #timeouts: TimeoutsConfig;
  #discovered: ReadonlyMap<string, Model> = new Map();

  constructor(config: Config) {
    this.#timeouts = config.timeouts;
    this.#defaultName = config.default_model;
    this.upstreams = new Map(
      config.upstreams.map((one) => {
        const { name, url, api_key: apiKey, discover, gpus } = one;
        return [name, new Upstream({ name, url, apiKey, discover, gpus })];
      }),
    );
    this.#configured = config.models.map((model) => this.#fromConfig(model));
    for (const [index, model] of this.#configured.entries()) {
      this.#byName.set(model.name, model);
      for (const alias of config.models[index]?.aliases ?? []) {
        if (alias === '*') this.#wildcard = model;
        else this.#byName.set(alias, model);
      }
    }
  }

  /** All public names, without aliases. */
  list(): readonly Model[] {
    return [...this.#configured, ...this.#discovered.values()];
  }

  /** `requested`: what the client sent; undefined if it named none. */
  resolve(requested: string | undefined): Model | undefined {
    const name = requested ?? this.#defaultName;
    if (name === undefined) return this.#wildcard;
    return this.#byName.get(name) ?? this.#discovered.get(name) ?? this.#wildcard;
  }

  /** True while a server that is to be asked for its models has never answered: a name may yet turn up. */
  get incomplete(): boolean {
    return [...this.upstreams.values()].some((one) => one.discover && one.discovered.size === 0);
  }

  /** Takes over what the servers list by now. A configured name stands before a discovered one. */
  refreshDiscovered(): void {
    const pools = new Map<string, { pool: Upstream[]; contextLength: number | undefined }>();
    for (const upstream of this.upstreams.values()) {
      for (const [name, contextLength] of upstream.discovered) {
        if (this.#byName.has(name)) continue;
        const entry = pools.get(name) ?? { pool: [], contextLength };
        entry.pool.push(upstream);
        pools.set(name, entry);
      }
    }
    this.#discovered = new Map(
      [...pools].map(([name, { pool, contextLength }]) => {
        return [name, { name, upstreamModel: name, pool, timeouts: this.#timeouts, contextLength }];
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.upstreams.values()].map((upstream) => upstream.close()));
  }

  #fromConfig(model: ModelConfig): Model {
    return {
      name: model.name,
      upstreamModel: model.upstream_model ?? model.name,
      pool: model.upstreams.flatMap((name) => this.upstreams.get(name) ?? []),
      timeouts: { ...this.#timeouts, ...model.timeouts },
      contextLength: model.context_length,
    };
  }
}
