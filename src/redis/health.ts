/**
 * Is Redis there? A ping each second, one at once when a command has failed, and the events of the socket. One
 * slow command alone changes nothing: only a lost connection or a lost ping does.
 */
import type { Redis } from 'ioredis';
import type { Logger } from '../telemetry/log.ts';
import type { StoreFailure } from './failure.ts';

export type RedisState = 'ok' | 'degraded';

const PING_EVERY_MS = 1_000;
const PING_EVERY_DEGRADED_MS = 250;
/** The socket may be open on our side only (a host that vanished): then it is given up. */
const LOST_PINGS_MAX = 3;

export interface RedisHealth {
  state(): RedisState;
  /** Calls back on every change; returns how to stop that. */
  onState(listener: (state: RedisState) => void): () => void;
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

export function watchHealth(client: Redis, log: Logger): RedisHealth {
  const listeners = new Set<(state: RedisState) => void>();
  const firstContact = Promise.withResolvers<void>();
  let state: RedisState = 'degraded';
  let cause = 'not connected yet';
  let reached = false;
  let reported = false;
  let lostPings = 0;
  let pinging = false;
  let timer: NodeJS.Timeout | undefined;

  const enter = (next: RedisState, why: string) => {
    cause = why;
    if (next === state && reported) return;
    reported = true;
    const changed = next !== state;
    state = next;
    if (next === 'ok') log.info('Redis answers');
    else log.warn({ cause: why }, 'Redis does not answer');
    if (changed) for (const listener of listeners) listener(next);
  };

  const recovered = () => {
    lostPings = 0;
    enter('ok', '');
    reached = true;
    firstContact.resolve();
  };

  const lost = (error: unknown) => {
    enter('degraded', error instanceof Error ? error.message : String(error));
    lostPings += 1;
    if (lostPings >= LOST_PINGS_MAX && client.status === 'ready') {
      lostPings = 0;
      client.disconnect(true);
    }
  };

  const ping = () => {
    clearTimeout(timer);
    if (pinging || client.status !== 'ready') return schedule();
    pinging = true;
    client
      .ping()
      .then(recovered, lost)
      .finally(() => {
        pinging = false;
        schedule();
      });
  };

  const schedule = () => {
    clearTimeout(timer);
    if (client.status !== 'end') {
      timer = setTimeout(ping, state === 'ok' ? PING_EVERY_MS : PING_EVERY_DEGRADED_MS).unref();
    }
  };

  client.on('ready', recovered);
  client.on('error', (error: Error) => enter('degraded', error.message));
  client.on('close', () => enter('degraded', cause || 'the connection was closed'));
  schedule();

  return {
    state: () => state,
    onState(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    wasReached: () => reached,
    reached: () => firstContact.promise,
    failure: () => ({ kind: 'unavailable', cause }),
    suspect: ping,
    stop() {
      clearTimeout(timer);
      client.removeAllListeners('close');
      client.removeAllListeners('error').on('error', () => undefined);
      client.removeAllListeners('ready');
    },
  };
}
