import { type Server as NetServer, Server } from 'node:net';
import { refusal } from '../core/errors.ts';
import type { Exchanges } from '../http/exchange.ts';
import type { Logger } from '../telemetry/log.ts';
import type { SharedCalls } from '../upstream/shared/shared-calls.ts';

interface DrainParts {
  readonly exchanges: Exchanges;
  /** Some go on although their callers have left. */
  readonly shared: Pick<SharedCalls, 'size' | 'breakOff'>;
  readonly server: NetServer;
  readonly limitMs: number;
  readonly quietMs: number;
  readonly log: Logger;
}

const LOOK_EVERY_MS = 25;
/** For the last errors to reach their callers. */
const FAREWELL_MS = 1_000;

/**
 * Lets a replica go without cutting anybody off, in phases that are each bounded:
 *
 * 1. announce: probes say 503, every further answer says `Connection: close`;
 * 2. stop listening: new connections go to the other replicas;
 * 3. wait: until nothing runs and no connection has spoken for a while, or until the limit;
 * 4. break off: what still runs ends with an error, streams with an event.
 *
 * Only the listening socket is closed. Node's `server.close()` also cuts idle connections, on which a balancer
 * may be sending its next request in this very moment: it would answer 502.
 */
export async function drain({ exchanges, shared, server, limitMs, quietMs, log }: DrainParts): Promise<void> {
  const startedAtMs = performance.now();
  exchanges.draining = true;
  Server.prototype.close.call(server);
  log.info({ phase: 'wait', running: exchanges.size }, 'drain');

  const isDone = () => exchanges.size === 0 && shared.size === 0;
  const isQuiet = () => isDone() && performance.now() - Math.max(exchanges.lastActivityAtMs, 0) >= quietMs;
  await until(isQuiet, startedAtMs + limitMs);

  const goodbye = refusal('draining', 'The gateway is shutting down.');
  const cut = exchanges.breakOff(goodbye);
  shared.breakOff(goodbye);
  await until(isDone, performance.now() + FAREWELL_MS);
  log.info({ phase: 'done', cut, took_ms: Math.round(performance.now() - startedAtMs) }, 'drain');
}

async function until(holds: () => boolean, limitAtMs: number): Promise<void> {
  while (!holds() && performance.now() < limitAtMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
