/** Listening to one channel, on a connection of its own that is opened anew whenever it is lost. */
import type { Redis } from 'ioredis';
import { reconnectDelayMs } from './options.ts';

/** Finds a connection that is dead without having said so; messages would go missing on it. */
const PING_EVERY_MS = 1_000;

export interface Subscriber {
  /** The subscription stands, for the first time or again: messages from before now may be lost. */
  subscribed(): void;
  received(message: string): void;
}

export interface Subscription {
  close(): void;
}

export interface RenewableSubscription extends Subscription {
  /** Opens another connection: this one may belong to a server of which nobody hears any more. */
  renew(): void;
}

/**
 * @param open  gives a client that has not connected yet and does not reconnect: after a failover the next one
 *              may belong to another server
 */
export function subscribe(open: () => Redis, channel: string, subscriber: Subscriber): RenewableSubscription {
  let closed = false;
  let failures = 0;
  /** Once for each connection: each telling adds a listener to its socket until that has closed. */
  let giveUp = () => {};
  let reopening: NodeJS.Timeout | undefined;

  const begin = () => {
    const current = open();
    const leave = once(() => current.disconnect());
    giveUp = leave;

    const pinging = setInterval(() => {
      if (current.status === 'ready') current.ping().catch(leave);
    }, PING_EVERY_MS).unref();
    current.on('ready', () => {
      current.subscribe(channel).then(() => {
        failures = 0;
        subscriber.subscribed();
      }, leave);
    });
    current.on('message', (_channel: string, message: string) => subscriber.received(message));
    // The connection for commands reports the state of the same server.
    current.on('error', () => undefined);
    current.once('end', () => {
      clearInterval(pinging);
      failures += 1;
      if (!closed) reopening = setTimeout(begin, reconnectDelayMs(failures)).unref();
    });
    current.connect().catch(() => undefined); // `end` follows
  };
  begin();

  return {
    renew: () => giveUp(),
    close() {
      closed = true;
      clearTimeout(reopening);
      giveUp();
    },
  };
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) act();
    isDone = true;
  };
}
