import got, { type Got } from 'got';
import type { Models } from './models.ts';
import type { Health, Upstream } from './upstream.ts';

const PROBE_EVERY_MS = 2_000;
const PROBE_TIMEOUT_MS = 1_500;
/** Names stand in records, separated by spaces. Any other name can be given to a model by configuration. */
const NAMEABLE = /^[\x21-\x7e]{1,256}$/;
/** A list of models is short; more is not one. */
const MODELS_MAX = 1_000;

/**
 * Asks every GPU server in turn how it is, and those that are to be discovered for their models. The results lie
 * in the upstreams; nothing on a request's path waits for a probe.
 */
export class Prober {
  readonly #models: Models;
  readonly #client: Got = got.extend({
    retry: { limit: 0 },
    timeout: { request: PROBE_TIMEOUT_MS },
    throwHttpErrors: false,
    followRedirect: false,
  });
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(models: Models) {
    this.#models = models;
  }

  /** Settles when every server has been asked once. */
  async start(): Promise<void> {
    await this.#round();
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#stopped) return;
    // Jitter keeps the replicas from asking all at once.
    const pauseMs = PROBE_EVERY_MS * (0.8 + 0.4 * Math.random());
    this.#timer = setTimeout(() => this.#round().finally(() => this.#schedule()), pauseMs).unref();
  }

  async #round(): Promise<void> {
    await Promise.all([...this.#models.upstreams.values()].map((upstream) => this.probe(upstream)));
    this.#models.refreshDiscovered();
  }

  /** Asks one server now; never rejects. */
  async probe(upstream: Upstream): Promise<void> {
    upstream.health = await this.#health(upstream);
    if (!upstream.discover || upstream.health === 'unreachable') return;
    const listed = await this.#listModels(upstream);
    if (listed) upstream.discovered = listed;
  }

  async #health(upstream: Upstream): Promise<Health> {
    try {
      const { statusCode } = await this.#client.get(this.#url(upstream, '/health'), this.#options(upstream));
      // A plain server without such a path is well as long as it answers.
      return statusCode < 500 ? 'healthy' : 'unhealthy';
    } catch {
      return 'unreachable';
    }
  }

  async #listModels(upstream: Upstream): Promise<Map<string, number | undefined> | undefined> {
    try {
      const answer = await this.#client.get(this.#url(upstream, '/v1/models'), this.#options(upstream));
      const { data } = JSON.parse(answer.body) as { data?: unknown };
      if (answer.statusCode !== 200 || !Array.isArray(data)) return undefined;
      return new Map(data.slice(0, MODELS_MAX).flatMap(listedModel));
    } catch {
      return undefined;
    }
  }

  #url({ origin, basePath }: Upstream, path: string): string {
    return origin + basePath + path;
  }

  #options({ apiKey }: Upstream): { headers: Record<string, string> } {
    return { headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` } };
  }
}

function listedModel(value: unknown): [string, number | undefined][] {
  if (typeof value !== 'object' || value === null) return [];
  const { id, max_model_len } = value as Record<string, unknown>;
  if (typeof id !== 'string' || !NAMEABLE.test(id)) return [];
  return [[id, typeof max_model_len === 'number' ? max_model_len : undefined]];
}
