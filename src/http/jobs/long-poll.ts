/**
 * Waiting for the end of a job. Whoever waits costs a place among the followers and one among the watchdogs: no timer,
 * no connection to Redis and no question of his own, but for one now and then in case that a message was lost.
 */
import type { ServerResponse } from 'node:http';
import { isOver, type JobRecord } from '../../core/job.ts';
import type { Answer } from '../../redis/connection.ts';
import { Watchdog } from '../../upstream/watchdog.ts';
import type { JobRouteParts } from './parts.ts';

type Found = Answer<JobRecord | undefined>;

/**
 * @returns the job as it is when it is over, when the time is up, when this replica is about to leave, or as soon as
 *   it cannot be looked up. Never, if the caller has gone.
 */
export function untilOver(
  { results, watch, clock, exchanges }: Pick<JobRouteParts, 'results' | 'watch' | 'clock' | 'exchanges'>,
  response: ServerResponse,
  [tenant, id]: readonly [tenant: string, id: string],
  limitMs: number,
): Promise<Found> {
  return new Promise((resolve, reject) => {
    let looking = false;
    let again = false;
    let isUp = false;

    const look = async () => {
      if (looking) {
        again = true;
        return;
      }
      looking = true;
      const found = await results.find(tenant, id);
      looking = false;
      const isLast = isUp || exchanges.draining || !found.ok || !found.value || isOver(found.value.status);
      if (isLast) {
        leave();
        resolve(found);
      } else if (again) {
        again = false;
        await look();
      }
    };
    const lookSoon = () => {
      look().catch((error) => {
        leave();
        reject(error);
      });
    };

    const limits = { first_byte_ms: limitMs, idle_ms: limitMs, total_ms: limitMs };
    const watchdog = new Watchdog(clock, limits, performance.now(), () => {
      isUp = true;
      lookSoon();
    });
    // Before the first look, so that nothing happens in between.
    const unfollow = watch.follow(id, ({ status }) => {
      if (status === undefined || isOver(status)) lookSoon();
    });
    const leave = () => {
      watchdog.stop();
      unfollow();
      response.removeListener('close', leave);
    };
    response.once('close', leave);
    lookSoon();
  });
}
