/**
 * What the GPU servers say of their load, for the choice between them.
 *
 * A page of metrics costs a server some milliseconds, so one replica asks on behalf of all. Each replica goes to Redis
 * about once a second: it gets the newest report of each server, and is given those whose turn has come. Nobody is
 * elected: whoever comes first asks, so a replica that dies is replaced as soon as its claim has run out. While Redis
 * is away each replica asks for itself.
 *
 * A server whose probes fail is not asked. One that has no such metrics is asked again a minute later. One that does
 * not answer says nothing, and what it said before fades (`choice/load-of.ts`).
 */
import type { RedisConnection } from '../../redis/connection.ts';
import { type LoadRoll, type LoadTable, loadTable, type SharedReport } from '../../redis/load-table.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { Upstream } from '../upstream.ts';
import { readLoad, readTimeoutMs } from './read-load.ts';

interface LoadReportsParts {
  readonly redis: RedisConnection;
  /** By name, as they are at the moment. */
  readonly upstreams: () => ReadonlyMap<string, Upstream>;
  /** The clock of the choice: monotonic, in milliseconds. */
  readonly now: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly log: Logger;
}

const ROUND_MS = 1_000;
/** Rounds come so much earlier or later, so that the replicas do not keep in step. */
const JITTER = 0.1;
/** A server is due by the time of the earliest next round, or a replica that is alone would pass over every other. */
const DUE_MS = ROUND_MS * (1 - JITTER);
const WITHOUT_METRICS_MS = 60_000;

/** What this replica knows of asking one server. */
interface Asking {
  isUnderWay: boolean;
  /** For when Redis is away. */
  dueAtMs: number;
  /** Redis' time of the last report that was taken over. */
  heardAtMs: number;
}

/** A moment by Redis' clock and by ours. */
interface Moment {
  readonly redisMs: number;
  readonly ownMs: number;
}

export class LoadReports {
  readonly #parts: LoadReportsParts;
  readonly #table: LoadTable;
  readonly #askings = new WeakMap<Upstream, Asking>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(parts: LoadReportsParts) {
    this.#parts = parts;
    this.#table = loadTable(parts.redis);
  }

  start(): void {
    this.#roundIn(ROUND_MS * this.#parts.random());
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #roundIn(ms: number): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => this.#runRound(), ms).unref();
  }

  #runRound(): void {
    const { now, random, log } = this.#parts;
    const nextAtMs = now() + ROUND_MS * (1 - JITTER + 2 * JITTER * random());
    this.#round()
      .catch((error: Error) => log.error({ cause: error.message }, 'loads of GPU servers cannot be shared'))
      .finally(() => this.#roundIn(Math.max(0, nextAtMs - now())));
  }

  async #round(): Promise<void> {
    const askable = [...this.#parts.upstreams().values()].filter((upstream) => this.#mayBeAsked(upstream));
    if (askable.length === 0) return;
    const servers = askable.map((upstream) => ({
      name: upstream.name,
      claimMs: Math.max(DUE_MS, readTimeoutMs(upstream)),
    }));
    const answer = await this.#table.claim(servers);
    if (this.#isStopped) return;
    if (answer.ok) this.#goBy(answer.value, askable);
    else this.#askAlone(askable);
  }

  #mayBeAsked(upstream: Upstream): boolean {
    const { settings, serverHealth } = upstream;
    const isWanted = settings.loadMetricsPath !== undefined && serverHealth.health === 'healthy';
    return isWanted && !this.#askingOf(upstream).isUnderWay;
  }

  #goBy({ nowMs, entries }: LoadRoll, askable: readonly Upstream[]): void {
    const moment = { redisMs: nowMs, ownMs: this.#parts.now() };
    for (const [index, { isClaimed, report }] of entries.entries()) {
      const upstream = askable[index] as Upstream;
      if (report) this.#takeOver(upstream, report, moment);
      if (isClaimed) void this.#ask(upstream, moment);
    }
  }

  #askAlone(askable: readonly Upstream[]): void {
    for (const upstream of askable) {
      if (this.#parts.now() >= this.#askingOf(upstream).dueAtMs) void this.#ask(upstream, undefined);
    }
  }

  /** Never rejects. @param claimed undefined: Redis is away, and nobody else gets to know */
  async #ask(upstream: Upstream, claimed: Moment | undefined): Promise<void> {
    const { now, log } = this.#parts;
    const { loadMetricsPath } = upstream.settings;
    const asking = this.#askingOf(upstream);
    if (loadMetricsPath === undefined) return;
    asking.isUnderWay = true;
    const heard = await readLoad(upstream, loadMetricsPath);
    asking.isUnderWay = false;
    if (this.#isStopped || heard === 'failed') return;
    const pauseMs = heard === 'none' ? WITHOUT_METRICS_MS : DUE_MS;
    const readAtMs = now();
    if (heard === 'none') asking.dueAtMs = readAtMs + WITHOUT_METRICS_MS;
    else upstream.reported = { ...heard, ownInFlight: upstream.load.inFlight, readAtMs };
    if (!claimed) return;
    const atMs = Math.round(claimed.redisMs + readAtMs - claimed.ownMs);
    if (heard !== 'none') asking.heardAtMs = atMs;
    this.#table
      .write(upstream.name, claimed.redisMs + pauseMs, heard === 'none' ? undefined : { atMs, ...heard })
      .catch((error: Error) => log.error({ cause: error.message }, 'a load cannot be shared'));
  }

  /** What another replica has heard, if it is news. */
  #takeOver(upstream: Upstream, { atMs, running, waiting }: SharedReport, moment: Moment): void {
    const asking = this.#askingOf(upstream);
    const readAtMs = moment.ownMs - Math.max(0, moment.redisMs - atMs);
    if (atMs === asking.heardAtMs) return;
    if (upstream.reported && readAtMs <= upstream.reported.readAtMs) return;
    asking.heardAtMs = atMs;
    upstream.reported = { running, waiting, ownInFlight: upstream.load.inFlight, readAtMs };
  }

  #askingOf(upstream: Upstream): Asking {
    let asking = this.#askings.get(upstream);
    if (!asking) {
      asking = { isUnderWay: false, dueAtMs: 0, heardAtMs: 0 };
      this.#askings.set(upstream, asking);
    }
    return asking;
  }
}
