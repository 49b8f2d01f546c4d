import { buildConnector, errors, Pool } from 'undici';
import { Load } from './load.ts';
import { Watch } from './watchdog.ts';

/** What the probes say. `unreachable`: no answer at all, `unhealthy`: an answer that is not 2xx. */
export type Health = 'healthy' | 'unhealthy' | 'unreachable';

interface UpstreamOptions {
  readonly name: string;
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly discover: boolean;
  /** That it runs on. */
  readonly gpus: number;
}

/** uvicorn closes idle connections after 5 s: leave before it does, or a request meets a closed one. */
const KEEP_ALIVE_TIMEOUT_MS = 4_000;

/** One GPU server: its connections, and what this replica knows of it. */
export class Upstream {
  readonly name: string;
  readonly origin: string;
  /** In front of every path; empty for most. */
  readonly basePath: string;
  readonly apiKey: string | undefined;
  readonly discover: boolean;
  /** As listed by a server that is asked for its models. */
  discovered: ReadonlyMap<string, number | undefined> = new Map();
  health: Health = 'unreachable';
  /** The calls that have been sent to it and have not ended. */
  readonly load = new Load();
  readonly gpus: number;
  /** Over the time limits of those calls. */
  readonly watch = new Watch();

  /** A connect time-out belongs to the connections, so each value in use has a pool of its own. */
  readonly #pools = new Map<number, Pool>();
  readonly #freshPools = new Map<number, Pool>();

  constructor({ name, url, apiKey, discover, gpus }: UpstreamOptions) {
    const { origin, pathname } = new URL(url);
    this.name = name;
    this.origin = origin;
    this.basePath = pathname.replace(/\/+$/, '').replace(/\/v1$/, '');
    this.apiKey = apiKey;
    this.discover = discover;
    this.gpus = gpus;
  }

  /** Header names and values in turn, as the client takes them. */
  get authorization(): readonly string[] {
    return this.apiKey === undefined ? [] : ['authorization', `Bearer ${this.apiKey}`];
  }

  connections(connectTimeoutMs: number): Pool {
    return this.#pool(this.#pools, connectTimeoutMs, 1);
  }

  /** Each call on a connection of its own, which no server can have grown tired of. */
  freshConnections(connectTimeoutMs: number): Pool {
    return this.#pool(this.#freshPools, connectTimeoutMs, 0);
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values(), ...this.#freshPools.values()];
    await Promise.all(pools.map((pool) => pool.destroy()));
    this.#pools.clear();
    this.#freshPools.clear();
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
  const open = buildConnector({ timeout: timeoutMs, allowH2: false });
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
