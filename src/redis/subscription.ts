/** Listening to one channel, on a connection of its own that comes back by itself. */
import type { Redis } from 'ioredis';

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

export function subscribe(client: Redis, channel: string, subscriber: Subscriber): Subscription {
  const reconnect = () => {
    if (client.status === 'ready') client.disconnect(true);
  };
  client.on('ready', () => {
    client.subscribe(channel).then(() => subscriber.subscribed(), reconnect);
  });
  client.on('message', (_channel: string, message: string) => subscriber.received(message));
  // The connection for commands reports the state of the same server.
  client.on('error', () => undefined);
  const timer = setInterval(() => {
    if (client.status === 'ready') client.ping().catch(reconnect);
  }, PING_EVERY_MS).unref();
  client.connect().catch(() => undefined); // it goes on trying

  return {
    close() {
      clearInterval(timer);
      client.disconnect();
    },
  };
}
