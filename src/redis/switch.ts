/**
 * The Sentinels say when another server has become primary. The old one may go on for those whom only the others
 * have lost, and would take writes that nobody keeps: it is left at once. What ioredis has for this (failoverDetector)
 * writes to the console for each Sentinel that is away, and ends its own client when the word comes at a bad moment.
 */
import type { RedisAccess } from './options.ts';
import { type Subscription, subscribe } from './subscription.ts';

/** Does nothing where there are no Sentinels. */
export function watchSwitches(
  { openSentinels, primaryName }: RedisAccess,
  onSwitch: () => void,
): Subscription {
  const subscriptions = openSentinels.map((open) =>
    subscribe(open, '+switch-master', {
      subscribed: () => undefined,
      received: (message) => {
        if (message.split(' ', 1)[0] === primaryName) onSwitch();
      },
    }),
  );
  return { close: () => subscriptions.forEach((subscription) => void subscription.close()) };
}
