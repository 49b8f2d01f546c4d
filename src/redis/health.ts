/**
 * Is Redis there? Each second every primary is asked, at once when a command has failed, and the events of the
 * sockets tell the rest. One slow command alone changes nothing: only a lost connection or a lost probe does.
 *
 * A Cluster counts as away when any of its primaries is. The calls of a tenant touch several slots, each of them
 * would cost a call the whole time-out while its primary is frozen, and with the setting that Redis comes with
 * (cluster-require-full-coverage) the other primaries refuse as well. It is over with the failover.
 */
import type { Redis } from 'ioredis';
import type { Logger } from '../telemetry/log.ts';
import type { StoreFailure } from './failure.ts';
import { type RedisClient, reconnectDelayMs } from './options.ts';
import { watchPrimaries } from './primary.ts';

export type RedisState = 'ok' | 'degraded';

const PROBE_EVERY_MS = 1_000;
const PROBE_EVERY_DEGRADED_MS = 250;

export interface RedisHealth {
  state(): RedisState;
  /** Calls back on every change; returns how to stop that. */
  onState(listener: (state: RedisState) => void): () => void;
  /**
   * Calls back when Redis is there again after it was away, and when another server has become primary: what
   * was written before may be lost. Not on the first contact. Returns how to stop that.
   */
  onReturn(listener: () => void): () => void;
  /** Whether Redis has answered since the process began; it stays true. */
  wasReached(): boolean;
  /** Settles on the first contact. */
  reached(): Promise<void>;
  /** Why it is degraded. */
  failure(): StoreFailure;
  /** A command has failed: look now. */
  suspect(): void;
  stop(): void;
}

export function watchHealth(client: RedisClient, log: Logger): RedisHealth {
  const stateListeners = new Set<(state: RedisState) => void>();
  const returnListeners = new Set<() => void>();
  const firstContact = Promise.withResolvers<void>();
  const primaries = watchPrimaries(client);
  let known: readonly Redis[] = [];
  let state: RedisState = 'degraded';
  let cause = 'not connected yet';
  let reached = false;
  let reported = false;
  let probing = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const enter = (next: RedisState, why: string) => {
    cause = why;
    if (stopped || (next === state && reported)) return;
    reported = true;
    const changed = next !== state;
    state = next;
    if (next === 'ok') log.info('Redis answers');
    else log.warn({ cause: why }, 'Redis does not answer');
    if (changed) for (const listener of stateListeners) listener(next);
  };

  const lost = (error: unknown) => enter('degraded', error instanceof Error ? error.message : String(error));

  const found = (nodes: readonly Redis[]) => {
    if (stopped) return;
    const returned = reached && (state === 'degraded' || nodes.some((node) => !known.includes(node)));
    known = nodes;
    enter('ok', '');
    reached = true;
    firstContact.resolve();
    if (returned) for (const listener of returnListeners) listener();
  };

  const probe = () => {
    clearTimeout(timer);
    if (probing || client.status !== 'ready') return schedule();
    probing = true;
    primaries
      .probe()
      .then(found, lost)
      .finally(() => {
        probing = false;
        schedule();
      });
  };

  const schedule = () => {
    clearTimeout(timer);
    if (!stopped)
      timer = setTimeout(probe, state === 'ok' ? PROBE_EVERY_MS : PROBE_EVERY_DEGRADED_MS).unref();
  };

  const doubt = () => {
    primaries.doubt();
    probe();
  };

  client.on('ready', probe);
  client.on('error', lost);
  client.on('close', () => enter('degraded', cause || 'the connection was closed'));
  // ioredis ends its client for good when it is told to disconnect while it asks the Sentinels.
  client.on('end', () => {
    if (!stopped) setTimeout(() => client.connect().catch(() => undefined), reconnectDelayMs(1)).unref();
  });
  client.on('-node', doubt);
  schedule();

  return {
    state: () => state,
    onState(listener) {
      stateListeners.add(listener);
      return () => stateListeners.delete(listener);
    },
    onReturn(listener) {
      returnListeners.add(listener);
      return () => returnListeners.delete(listener);
    },
    wasReached: () => reached,
    reached: () => firstContact.promise,
    failure: () => ({ kind: 'unavailable', cause }),
    suspect: probe,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
