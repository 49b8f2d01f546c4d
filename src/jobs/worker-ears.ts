/** What a worker hears of jobs: new ones for its feed, and the end of those that it runs. */
import { isOver } from '../core/job.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { readJobEvent } from '../redis/job-records.ts';
import type { JobTable } from '../redis/job-table.ts';
import type { Subscription } from '../redis/subscription.ts';
import type { Feed } from './feed.ts';
import type { RunningJobs } from './running.ts';

interface EarsParts {
  readonly connection: Pick<RedisConnection, 'subscribe' | 'keys'>;
  readonly jobs: Pick<JobTable, 'find'>;
  readonly running: RunningJobs;
  readonly feed: Pick<Feed, 'heard' | 'wake'>;
}

export function listenToJobs({ connection, jobs, running, feed }: EarsParts): Subscription {
  /** Events from before the subscription are lost. */
  const lookAtAll = async () => {
    for (const id of running.ids()) {
      const found = await jobs.find(id);
      if (!found.ok) continue;
      const { status, attempt } = found.value ?? { status: 'cancelled', attempt: 0 };
      if (isOver(status) || status === 'in_progress') running.heard({ id, status, attempt });
    }
  };
  return connection.subscribe(connection.keys.jobEvents(), {
    subscribed() {
      void lookAtAll();
      feed.wake();
    },
    received(message) {
      const event = readJobEvent(message);
      if (!event) return;
      running.heard(event);
      feed.heard(event);
    },
  });
}
