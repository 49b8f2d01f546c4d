/** What a gateway has to do with jobs: their tables, and who looks after those that wait for them. */
import type { JobTickets } from '../admission/jobs/job-tickets.ts';
import type { Principals } from '../admission/jobs/principals.ts';
import type { Config } from '../config/schema.ts';
import { JobDoor } from '../jobs/door.ts';
import { HELD_MS, HeldJobs } from '../jobs/held-jobs.ts';
import { JobOperations } from '../jobs/operations.ts';
import { payloadBounds } from '../jobs/payload-bounds.ts';
import { type JobQueue, jobQueue } from '../jobs/queue.ts';
import { JobResults } from '../jobs/results.ts';
import { type JobStandings, jobStandings } from '../jobs/standings.ts';
import { JobWatch } from '../jobs/watch.ts';
import type { ConnectionObservers } from '../redis/connection.ts';
import { type HoldTable, holdTable } from '../redis/hold-table.ts';
import { roomForJob } from '../redis/job-acceptance.ts';
import { jobListing } from '../redis/job-listing.ts';
import { type JobTable, jobTable } from '../redis/job-table.ts';
import { jobUpkeep } from '../redis/job-upkeep.ts';
import { type PayloadTable, payloadTable } from '../redis/payload-table.ts';
import { connectQueue, type QueueConnection } from '../redis/queue-connection.ts';
import type { Logger } from '../telemetry/log.ts';

export interface GatewayJobs {
  readonly queue: QueueConnection;
  readonly table: JobTable;
  readonly payloads: PayloadTable;
  readonly watch: JobWatch;
  readonly standings: JobStandings;
  readonly results: JobResults;
  readonly door: JobDoor;
  readonly holds: HoldTable;
  readonly held: HeldJobs;
  /** To look at; each opened when it is called for. */
  readonly bullQueues: readonly JobQueue['bullQueue'][];
  close(): void;
}

/** Connects in the background. */
export function createGatewayJobs(
  config: Config,
  log: Logger,
  tickets: Pick<JobTickets, 'reserve' | 'release'>,
  observers: ConnectionObservers,
): GatewayJobs {
  const queue = connectQueue(config, log, observers);
  const now = () => performance.now();
  const table = jobTable(queue.commands);
  const payloads = payloadTable(queue.payloads, payloadBounds(config));
  const watch = new JobWatch(queue.commands, now);
  const results = new JobResults({
    table,
    payloads,
    released: ({ tenant, key_id, model, id }) => tickets.release(tenant, key_id, model, id),
  });
  const { commands } = queue;
  const { accept } = jobTable({
    keys: commands.keys,
    ask: (questions) => commands.durable(questions, commands.keys.jobMeta()),
  });
  const holds = holdTable(commands);
  const door = new JobDoor({
    ...{ config, tickets, payloads, table, accept },
    roomFor: (job, bounds) => roomForJob(commands, job, bounds),
  });
  const held = new HeldJobs({
    table: holds,
    heldMs: HELD_MS,
    nowMs: now,
    ended: ({ id, tenant, keyId, model }) => {
      tickets.release(tenant, keyId, model, id);
      void payloads.delete(id, 0);
    },
  });
  return {
    queue,
    table,
    payloads,
    watch,
    standings: jobStandings(table, now),
    results,
    door,
    holds,
    held,
    bullQueues: (['jobs', 'webhooks'] as const).map((name) => jobQueue(queue.commands, name).bullQueue),
    close() {
      door.stop();
      held.stop();
      watch.close();
      queue.close();
    },
  };
}

/** For the admin listener. */
export function createJobOperations(
  { queue, table, payloads, standings, door }: GatewayJobs,
  tickets: Pick<JobTickets, 'release'>,
  principals: Principals,
): JobOperations {
  return new JobOperations({
    ...{ table, payloads, standings, door, tickets, principals },
    listing: jobListing(queue.commands),
    upkeep: jobUpkeep(queue.commands),
    now: Date.now,
  });
}
