import type { RedisOptions } from 'ioredis';
import type { Config } from '../config/schema.ts';

const CONNECT_TIMEOUT_MS = 1_000;
const RECONNECT_FIRST_MS = 50;
const RECONNECT_LONGEST_MS = 1_000;
/** How long a closing socket may wait for the other side. */
const DISCONNECT_TIMEOUT_MS = 250;

/**
 * A command is tried once, on a connection that stands, for a bounded time. ioredis' defaults would queue it
 * while Redis is away, and send it a second time when the reply was lost: a script that charges would charge
 * twice. `autoResendUnfulfilledCommands: false` alone would leave its promise pending for ever.
 *
 * Throws on an address that is not supported.
 */
export function redisOptions(config: Config['redis']): RedisOptions {
  return {
    ...serverOf(config.url),
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    commandTimeout: config.command_timeout_ms,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    retryStrategy: reconnectDelayMs,
    // A primary that became a replica, or is loading: another one may answer at this address next time.
    reconnectOnError: (error) => /^(READONLY|LOADING)/.test(error.message),
    lazyConnect: true,
  };
}

/** Doubles up to a second, of which half is random: replicas that lost Redis together return one by one. */
function reconnectDelayMs(attempt: number): number {
  const ceiling = Math.min(RECONNECT_LONGEST_MS, RECONNECT_FIRST_MS * 2 ** Math.min(attempt, 10));
  return ceiling / 2 + Math.random() * (ceiling / 2);
}

function serverOf(url: string): RedisOptions {
  const scheme = url.slice(0, url.indexOf(':'));
  if (scheme.endsWith('+sentinel') || scheme.endsWith('+cluster')) {
    throw new Error(`redis.url: ${scheme}:// is not supported yet; use redis:// or rediss://`);
  }
  const { hostname, port, username, password, pathname } = parsed(url);
  const database = pathname.replace('/', '') || '0';
  if (!/^\d{1,5}$/.test(database))
    throw new Error('redis.url: the path must be a database number, such as /0');
  return {
    host: hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: port === '' ? 6379 : Number(port),
    db: Number(database),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(scheme === 'rediss' && { tls: {} }),
  };
}

/** The address may hold a password, so a fault says nothing of it. */
function parsed(url: string): URL {
  const address = URL.parse(url);
  if (!address) throw new Error('redis.url is not a valid address');
  return address;
}
