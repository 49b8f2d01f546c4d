import { buildConnector, errors, Pool } from 'undici';
import type { LoadReport } from './choice/load-of.ts';
import { type Health, ServerHealth } from './health/server-health.ts';
import { Load } from './load.ts';
import { WaitingCalls } from './waiting-calls.ts';
import { Watch } from './watchdog.ts';

export type { Health } from './health/server-health.ts';

interface UpstreamOptions extends Partial<Omit<UpstreamSettings, 'discover' | 'gpus'>> {
  readonly discover: boolean;
  readonly gpus: number;
  readonly name: string;
  readonly url: string;
  readonly apiKey: string | undefined;
}

const standardSettings: Omit<UpstreamSettings, 'discover' | 'gpus'> = {
  maxInFlight: undefined,
  capacity: undefined,
  loadMetricsPath: '/metrics',
  labels: {},
  healthCheck: { path: '/health', timeoutMs: 1_000, completionModel: undefined },
};

/** How the probes ask it. */
export interface HealthCheck {
  readonly path: string;
  readonly timeoutMs: number;
  /** Its name for a model of which one token is asked; undefined: it is not. */
  readonly completionModel: string | undefined;
}

/** What may change while the server stays the same. */
export interface UpstreamSettings {
  readonly discover: boolean;
  /** That it runs on. */
  readonly gpus: number;
  /** Calls of this replica; undefined: unbounded. */
  readonly maxInFlight: number | undefined;
  /** Calls, of anyone, that keep it fully busy; undefined: nobody has said. */
  readonly capacity: number | undefined;
  /** Where it says how much it has to do; undefined: it is not asked. */
  readonly loadMetricsPath: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly healthCheck: HealthCheck;
}

/** uvicorn closes idle connections after 5 s: leave before it does, or a request meets a closed one. */
const KEEP_ALIVE_TIMEOUT_MS = 4_000;

/**
 * After so many bytes that nobody takes, no more is read from a connection. The system reads up to 64 KB at a time, so
 * with undici's own 64 KB a caller who does not read would cost two buffers in place of one.
 */
const READ_AHEAD_BYTES = 16_384;

const DISTRUST_MS = 1_000;

/** One GPU server: its connections, and what this replica knows of it. */
export class Upstream {
  readonly name: string;
  readonly origin: string;
  /** In front of every path; empty for most. */
  readonly basePath: string;
  readonly apiKey: string | undefined;
  settings: UpstreamSettings;
  /** As listed by a server that is asked for its models. */
  discovered: ReadonlyMap<string, number | undefined> = new Map();
  readonly serverHealth = new ServerHealth();
  /** The calls that have been sent to it and have not ended. */
  readonly load = new Load();
  /** What it last said of its load, whatever the age. */
  reported: LoadReport | undefined = undefined;
  /** Those among them of whose answer no byte has come. */
  readonly waiting = new WaitingCalls();
  /** Told when a place has become free. */
  onFreed: (upstream: Upstream) => void = () => {};
  #newConnectionFailedAtMs = Number.NEGATIVE_INFINITY;
  /** Over the time limits of those calls. */
  readonly watch = new Watch();

  /** A connect time-out belongs to the connections, so each value in use has a pool of its own. */
  readonly #pools = new Map<number, Pool>();
  readonly #freshPools = new Map<number, Pool>();

  constructor({ name, url, apiKey, ...settings }: UpstreamOptions) {
    const { origin, pathname } = new URL(url);
    this.name = name;
    this.origin = origin;
    this.basePath = pathname.replace(/\/+$/, '').replace(/\/v1$/, '');
    this.apiKey = apiKey;
    this.settings = { ...standardSettings, ...settings };
  }

  get health(): Health {
    return this.serverHealth.health;
  }

  get discover(): boolean {
    return this.settings.discover;
  }

  get gpus(): number {
    return this.settings.gpus;
  }

  /** Header names and values in turn, as the client takes them. */
  get authorization(): readonly string[] {
    return this.apiKey === undefined ? [] : ['authorization', `Bearer ${this.apiKey}`];
  }

  /** May it have one more call of this replica? */
  hasPlace(): boolean {
    const { maxInFlight } = this.settings;
    return maxInFlight === undefined || this.load.inFlight < maxInFlight;
  }

  placeFreed(): void {
    if (this.settings.maxInFlight !== undefined) this.onFreed(this);
  }

  /**
   * False for a while after a call on a new connection has been reset: then a reset is no sign of a connection that
   * has grown old, and sending the call again at once would only double the load of a server that fails.
   */
  takesNewConnections(nowMs: number): boolean {
    return nowMs - this.#newConnectionFailedAtMs >= DISTRUST_MS;
  }

  newConnectionFailed(nowMs: number): void {
    this.#newConnectionFailedAtMs = nowMs;
  }

  connections(connectTimeoutMs: number): Pool {
    return this.#pool(this.#pools, connectTimeoutMs, 1);
  }

  /** Each call on a connection of its own, which no server can have grown tired of. */
  freshConnections(connectTimeoutMs: number): Pool {
    return this.#pool(this.#freshPools, connectTimeoutMs, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#takePools().map((pool) => pool.destroy()));
  }

  /**
   * Closes its connections when the last call on them has ended. A call that was meant for it and has yet to be sent
   * opens new ones, which close by themselves when they have been idle.
   */
  async retire(): Promise<void> {
    await Promise.all(this.#takePools().map((pool) => pool.close()));
  }

  #takePools(): Pool[] {
    const pools = [...this.#pools.values(), ...this.#freshPools.values()];
    this.#pools.clear();
    this.#freshPools.clear();
    return pools;
  }

  #pool(pools: Map<number, Pool>, connectTimeoutMs: number, pipelining: 0 | 1): Pool {
    let pool = pools.get(connectTimeoutMs);
    if (!pool) {
      pool = new Pool(this.origin, {
        connect: connectInTime(connectTimeoutMs),
        pipelining,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
        keepAliveMaxTimeout: KEEP_ALIVE_TIMEOUT_MS,
        // The watchdog of each call keeps the time; two clocks would disagree.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      pools.set(connectTimeoutMs, pool);
    }
    return pool;
  }
}

/** The client's own connect time-out may come up to a second late; it is left to clean up behind this one. */
function connectInTime(timeoutMs: number): buildConnector.connector {
  // The socket gets it; the client's own types do not name it.
  const socket = { highWaterMark: READ_AHEAD_BYTES };
  const open = buildConnector({ timeout: timeoutMs, allowH2: false, ...socket });
  return (options, callback) => {
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      callback(new errors.ConnectTimeoutError(`no connection within ${timeoutMs} ms`), null);
    }, timeoutMs);
    open(options, (...[error, socket]) => {
      if (isOver) {
        socket?.destroy();
        return;
      }
      clearTimeout(timer);
      if (error) callback(error, null);
      else callback(null, socket);
    });
  };
}
