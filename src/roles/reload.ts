import { type Fault, formatFault } from '../config/fault.ts';
import {
  type ConfigChange,
  changesBetween,
  type LiveConfig,
  liveConfig,
  needsRestart,
} from '../config/live.ts';
import type { LoadResult } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Models } from '../upstream/models.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** What an operator gets to know. */
export type ReloadReport =
  | {
      readonly ok: true;
      readonly changes: readonly ConfigChange[];
      /** Sections that differ from what the process was started with, and that it reads at its start only. */
      readonly needsRestart: readonly string[];
      readonly warnings: readonly string[];
    }
  | { readonly ok: false; readonly faults: readonly string[] };

interface ReloadParts {
  /** What the process was started with. */
  readonly started: Config;
  readonly load: () => LoadResult;
  readonly models: Pick<Models, 'prepare'>;
  /** Asks a server how it is; never rejects. */
  readonly probe: (upstream: Upstream) => Promise<void>;
  /** Since 1970. */
  readonly wallMs: () => number;
  readonly log: Logger;
}

/** A server that says nothing holds up a new configuration no longer, and joins the others as one that is down. */
const PROBE_LIMIT_MS = 2_000;

/**
 * Reads the configuration anew while requests run. All of it counts from one moment on, or, with any fault, none of
 * it. What comes while a reload runs is answered by one more that begins after it, however many ask.
 */
export class ConfigReloader {
  readonly #parts: ReloadParts;
  #live: LiveConfig;
  /** Whether what was read last had no faults. */
  isLastOk = true;
  /** When that which holds was read, by the wall clock. */
  sinceMs: number;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<ReloadReport> | undefined;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
    this.#live = parts.started;
    this.sinceMs = parts.wallMs();
  }

  /** What a reload may change must be read from here, at each use. */
  get live(): LiveConfig {
    return this.#live;
  }

  /** Never rejects. */
  reload(cause: 'signal' | 'admin'): Promise<ReloadReport> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const running = this.#once(cause);
      this.#running = running.catch(() => undefined);
      return running;
    });
    return this.#next;
  }

  async #once(cause: string): Promise<ReloadReport> {
    const { started, load, log } = this.#parts;
    const loaded = load();
    if (!loaded.ok) return this.#refuse(cause, loaded.faults);
    const before = this.#live;
    const next = liveConfig(started, before, loaded.config);
    await this.#switchTo(next);
    const report = {
      ok: true as const,
      changes: changesBetween(before, next),
      needsRestart: needsRestart(started, loaded.config),
      warnings: loaded.warnings.map(formatFault),
    };
    const { changes, warnings } = report;
    const line = { cause, changes, needs_restart: report.needsRestart, warnings };
    if (report.needsRestart.length > 0)
      log.warn(line, 'configuration read anew; a part of it needs a restart');
    else log.info(line, 'configuration read anew');
    return report;
  }

  async #switchTo(next: LiveConfig): Promise<void> {
    const { models, probe } = this.#parts;
    const { fresh, commit } = models.prepare(next);
    if (fresh.length > 0) await within(PROBE_LIMIT_MS, Promise.all(fresh.map(probe)));
    commit();
    this.#live = next;
    this.isLastOk = true;
    this.sinceMs = this.#parts.wallMs();
  }

  #refuse(cause: string, found: readonly Fault[]): ReloadReport {
    this.isLastOk = false;
    const faults = found.map(formatFault);
    this.#parts.log.error({ cause, faults }, 'configuration has faults; nothing was changed');
    return { ok: false, faults };
  }
}

async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
