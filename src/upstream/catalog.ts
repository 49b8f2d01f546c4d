import { listedModel } from '../config/pools.ts';
import type { Config } from '../config/schema.ts';
import { type Model, type PublicModel, publicModel, versionedName, versionFor } from './public-model.ts';
import type { Upstream } from './upstream.ts';

export type CatalogConfig = Pick<Config, 'upstreams' | 'models' | 'default_model' | 'timeouts'>;

/** The models of one reading of the configuration, and those that its servers list. */
export class Catalog {
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly #config: CatalogConfig;
  readonly #configured: readonly PublicModel[];
  readonly #byName = new Map<string, PublicModel>();
  readonly #byVersion = new Map<string, Model>();
  readonly #wildcard: PublicModel | undefined;
  #discovered: ReadonlyMap<string, PublicModel> = new Map();

  constructor(config: CatalogConfig, upstreams: ReadonlyMap<string, Upstream>) {
    this.upstreams = upstreams;
    this.#config = config;
    this.#configured = config.models.map((model) => this.#publicModel(model));
    for (const model of this.#configured) {
      this.#byName.set(model.name, model);
      for (const alias of model.aliases) {
        if (alias === '*') this.#wildcard = model;
        else this.#byName.set(alias, model);
      }
      for (const { model: one } of model.versions) {
        if (one.version !== undefined) this.#byVersion.set(versionedName(one.name, one.version), one);
      }
    }
  }

  list(): readonly PublicModel[] {
    return [...this.#configured, ...this.#discovered.values()];
  }

  resolve(requested: string | undefined, stickyHash: number, random: () => number): Model | undefined {
    const name = requested ?? this.#config.default_model;
    const named = name === undefined ? undefined : this.#named(name);
    const version = named || name === undefined ? undefined : this.#byVersion.get(name);
    if (version) return version;
    const model = named ?? this.#wildcard;
    return model && versionFor(model, stickyHash, random);
  }

  get incomplete(): boolean {
    return [...this.upstreams.values()].some((one) => one.discover && one.discovered.size === 0);
  }

  /** Takes over what the servers list by now. A configured name stands before a discovered one. */
  refreshDiscovered(): void {
    const found = new Map<string, { upstreams: string[]; contextLength: number | undefined }>();
    for (const upstream of this.upstreams.values()) {
      if (!upstream.discover) continue;
      for (const [name, contextLength] of upstream.discovered) {
        if (this.#byName.has(name) || this.#byVersion.has(name)) continue;
        const entry = found.get(name) ?? { upstreams: [], contextLength };
        entry.upstreams.push(upstream.name);
        found.set(name, entry);
      }
    }
    this.#discovered = new Map(
      [...found].map(([name, { upstreams, contextLength }]) => [
        name,
        this.#listed(name, upstreams, contextLength),
      ]),
    );
  }

  /** The same object for as long as the servers say the same, because others remember things by its pool. */
  #listed(name: string, upstreams: readonly string[], contextLength: number | undefined): PublicModel {
    const before = this.#discovered.get(name);
    const members = before?.versions[0]?.model.pool.members ?? [];
    const isSame =
      before?.contextLength === contextLength &&
      members.length === upstreams.length &&
      members.every(({ upstream }, index) => upstream.name === upstreams[index]);
    if (before && isSame) return before;
    return this.#publicModel(listedModel({ name, context_length: contextLength }, upstreams));
  }

  #publicModel(config: CatalogConfig['models'][number]): PublicModel {
    return publicModel(config, {
      upstreams: this.upstreams,
      timeouts: this.#config.timeouts,
      fallbacksOf: (name, stickyHash, random) => this.#fallbacksOf(name, stickyHash, random, new Set([name])),
    });
  }

  #named(name: string): PublicModel | undefined {
    return this.#byName.get(name) ?? this.#discovered.get(name);
  }

  /** Depth first: what stands in for a fallback is tried before the next one of the model itself. */
  *#fallbacksOf(
    name: string,
    stickyHash: number,
    random: () => number,
    seen: Set<string>,
  ): Generator<Model, void> {
    for (const fallback of this.#named(name)?.fallbackNames ?? []) {
      if (seen.has(fallback)) continue;
      seen.add(fallback);
      const model = this.#named(fallback);
      const version = model && versionFor(model, stickyHash, random);
      if (version) yield version;
      yield* this.#fallbacksOf(fallback, stickyHash, random, seen);
    }
  }
}
