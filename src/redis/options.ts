import { readFileSync } from 'node:fs';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { parseRedisAddress, type RedisAddress } from '../config/redis-address.ts';
import type { Config } from '../config/schema.ts';

export type RedisClient = Redis | Cluster;

const CONNECT_TIMEOUT_MS = 1_000;
const RECONNECT_FIRST_MS = 20;
const RECONNECT_LONGEST_MS = 1_000;
/** How long a closing socket may wait for the other side. */
const DISCONNECT_TIMEOUT_MS = 250;
/** A server that is loading says how long it needs; it is asked again no later than this. */
const LOADING_RETRY_MS = 250;
/** Apart from this the map of slots is fetched anew when a node says that it has changed, or is silent. */
const SLOTS_REFRESH_EVERY_MS = 5_000;
/** Moved by a failover, and once more by a slot on its way. */
const REDIRECTIONS_MAX = 4;

/** Opens connections of one kind to one address; none of them connects by itself. */
export interface RedisAccess {
  /** Comes back by itself, to wherever the primaries are then. */
  open(): RedisClient;
  /**
   * For BullMQ's workers, which take a lost server for a reason to wait: commands have no time-out and are sent again
   * when the connection comes back. Connects at once and goes on trying.
   */
  openWaiting(): RedisClient;
  /** To a server on which a channel can be heard; ends when it is lost. */
  openListener(beside: RedisClient): Redis;
  /** One for each Sentinel of the address; they end when they are lost. */
  readonly openSentinels: readonly (() => Redis)[];
  /** What the Sentinels call the primary. */
  readonly primaryName: string;
}

/** @throws when the address is none, or the file of the authority cannot be read; says nothing of the address */
export function redisAccess(config: Config['redis']): RedisAccess {
  const parsed = parseRedisAddress(config.url);
  if (!parsed.ok) throw new Error(`redis.url ${parsed.fault}`);
  const { address } = parsed;
  const common = commonOptions(config, address);
  const place = placeOptions(config, address, common);
  if (address.kind === 'cluster') {
    const hosts = [...address.hosts];
    return {
      open: () => new Cluster(hosts, clusterOptions(config, common)),
      openWaiting: () =>
        new Cluster(hosts, { ...clusterOptions(config, { ...common, ...waiting }), ...waitingCluster }),
      openListener: (beside) => new Redis({ ...common, ...anyNode(beside, hosts), retryStrategy: null }),
      openSentinels: [],
      primaryName: '',
    };
  }
  return {
    open: () => new Redis({ ...common, ...place, retryStrategy: reconnectDelayMs }),
    openWaiting: () => new Redis({ ...common, ...place, ...waiting, retryStrategy: reconnectDelayMs }),
    openListener: () => new Redis({ ...common, ...place, retryStrategy: null }),
    openSentinels: address.kind === 'sentinel' ? sentinelsOf(config, address, common) : [],
    primaryName: address.primaryName,
  };
}

const waiting: RedisOptions = {
  maxRetriesPerRequest: null,
  enableOfflineQueue: true,
  autoResendUnfulfilledCommands: true,
  commandTimeout: undefined,
  // BullMQ duplicates its client, and what it has to connect itself it gives up when the first try fails.
  lazyConnect: false,
};

const waitingCluster: ClusterOptions = {
  enableOfflineQueue: true,
  lazyConnect: false,
  // What the Cluster refuses while it fails over is asked again; the locks of jobs bound how long that makes sense.
  maxRedirections: 16,
  retryDelayOnFailover: 250,
  retryDelayOnClusterDown: 250,
};

/** Doubles up to a second, of which half is random: replicas that lost Redis together return one by one. */
export function reconnectDelayMs(attempt: number): number {
  const ceiling = Math.min(RECONNECT_LONGEST_MS, RECONNECT_FIRST_MS * 2 ** Math.min(attempt - 1, 10));
  return ceiling / 2 + Math.random() * (ceiling / 2);
}

/**
 * A command is tried once, on a connection that stands, for a bounded time. ioredis' defaults would queue it
 * while Redis is away, and send it a second time when the reply was lost: a script that charges would charge
 * twice. `autoResendUnfulfilledCommands: false` alone would leave its promise pending for ever.
 */
function commonOptions(config: Config['redis'], { username, password, tls }: RedisAddress): RedisOptions {
  return {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    commandTimeout: config.command_timeout_ms,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    maxLoadingRetryTime: LOADING_RETRY_MS,
    // A primary that became a replica, or is loading: another one may answer at this address next time.
    reconnectOnError: (error) => /^(READONLY|LOADING)/.test(error.message),
    lazyConnect: true,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: config.tls_ca_file === undefined ? {} : { ca: readAuthority(config.tls_ca_file) } }),
  };
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new Error(`redis.tls_ca_file: the file cannot be read (${reason}); check path and rights`);
  }
}

function placeOptions(config: Config['redis'], address: RedisAddress, { tls }: RedisOptions): RedisOptions {
  const { kind, hosts, database, primaryName } = address;
  if (kind !== 'sentinel') return { host: hosts[0].host, port: hosts[0].port, db: database };
  return {
    sentinels: [...hosts],
    name: primaryName,
    db: database,
    sentinelCommandTimeout: config.command_timeout_ms,
    sentinelRetryStrategy: reconnectDelayMs,
    ...(config.sentinel_username !== undefined && { sentinelUsername: config.sentinel_username }),
    ...(config.sentinel_password !== undefined && { sentinelPassword: config.sentinel_password }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
  };
}

function sentinelsOf(
  config: Config['redis'],
  { hosts }: RedisAddress,
  common: RedisOptions,
): readonly (() => Redis)[] {
  const { sentinel_username: username, sentinel_password: password } = config;
  const login = { username: username ?? null, password: password ?? null } as RedisOptions;
  return hosts.map((host) => () => new Redis({ ...common, ...host, ...login, retryStrategy: null }));
}

/**
 * What a redirection sends on has not run; nothing else is sent a second time. A node that was lost does not
 * reconnect by itself: the next map of slots says whether it still has a part to play.
 */
function clusterOptions(config: Config['redis'], redisOptions: RedisOptions): ClusterOptions {
  return {
    redisOptions,
    enableOfflineQueue: false,
    lazyConnect: true,
    maxRedirections: REDIRECTIONS_MAX,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: Math.min(50, config.command_timeout_ms / REDIRECTIONS_MAX),
    slotsRefreshTimeout: config.command_timeout_ms,
    slotsRefreshInterval: SLOTS_REFRESH_EVERY_MS,
    clusterRetryStrategy: reconnectDelayMs,
    // Resolved to a number here, a name would be lost to the check of the certificate.
    ...(redisOptions.tls && { dnsLookup: (host, callback) => callback(null, host) }),
  };
}

/** What is published on one node of a Cluster is heard on all; of those that are known, any will do. */
function anyNode(beside: RedisClient, hosts: RedisAddress['hosts'][number][]): RedisOptions {
  const nodes = beside instanceof Cluster ? beside.nodes('all').map(({ options }) => options) : [];
  const choice = nodes.length > 0 ? nodes : hosts;
  const { host, port } = choice[Math.floor(Math.random() * choice.length)] ?? {};
  return { host, port };
}
