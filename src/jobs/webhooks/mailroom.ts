/**
 * Takes events out of the outbox as their time comes and has them delivered. The outbox (scripts/webhooks/outbox.lua)
 * knows what waits, for how long, and how many deliveries a receiver has; BullMQ's queue `webhooks` has only what is
 * delivered now or next, and finds the tries of workers that have died. Jobs have a queue, workers and connections
 * of their own, so however slow receivers are, they delay none.
 *
 * An event is delivered at least once: its id stays the same, and receivers tell by it what they have had before.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '../../config/schema.ts';
import type { Answer } from '../../redis/connection.ts';
import type { QueueConnection } from '../../redis/queue-connection.ts';
import type { EventRecord, TryEnd } from '../../redis/webhook-records.ts';
import { type Try, type WebhookTable, webhookTable } from '../../redis/webhook-table.ts';
import type { Logger } from '../../telemetry/log.ts';
import { parseHosts } from '../../upstream/media-fetch.ts';
import type { Reach } from '../../upstream/receiver.ts';
import { type Delivery, type RunOutcome, TryAgain } from '../delivery.ts';
import { type JobQueue, jobQueue } from '../queue.ts';
import { type QueueWorker, startQueueWorker } from '../queue-worker.ts';
import { deliver, judge, type Sender } from './delivery.ts';
import { secretBox } from './secrets.ts';

interface MailroomParts {
  readonly config: Pick<Config, 'secret' | 'webhooks'>;
  readonly connection: QueueConnection;
  readonly log: Logger;
  /** Default: the system's look-up of names. */
  readonly resolve?: Reach['resolve'];
  /** Told of each try. @param ageSeconds of the event */
  readonly onTry: (outcome: TryEnd['outcome'], tookSeconds: number, ageSeconds: number) => void;
  /** It gets nothing to deliver although something waits: only a new process may help. */
  readonly onSilent: () => void;
}

const LOOK_EVERY_MS = 500;
const UNWIND_MS = 1_000;
/** The receiver has the event by then: it should not get it again because Redis was away for a moment. */
const SAID_TIMES = 5;
const SAID_EVERY_MS = 500;

export class Mailroom {
  readonly #parts: MailroomParts;
  readonly #table: WebhookTable;
  readonly #queue: JobQueue;
  readonly #sender: Sender;
  #worker: QueueWorker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(parts: MailroomParts) {
    const { config, connection, resolve } = parts;
    const { allowed_hosts, timeout_seconds, retry_pauses_seconds, receiver_concurrency } = config.webhooks;
    this.#parts = parts;
    this.#table = webhookTable(connection.commands, receiver_concurrency);
    this.#queue = jobQueue(connection.commands, 'webhooks');
    this.#sender = {
      box: secretBox(config.secret),
      reach: { hosts: parseHosts(allowed_hosts), resolve },
      timeoutMs: timeout_seconds * 1_000,
      pausesMs: retry_pauses_seconds.map((seconds) => seconds * 1_000),
      now: Date.now,
      random: Math.random,
    };
  }

  start(): void {
    const { config, connection, log, onSilent } = this.#parts;
    this.#worker = startQueueWorker(
      {
        ...{ connection, queue: this.#queue, log, onSilent },
        process: async (delivery) => {
          const outcome = await this.#run(delivery);
          this.wake();
          return outcome;
        },
        // It was handed out, and is so again when nobody has said for two minutes what came of it.
        onGivenUp: (run) => log.warn({ run }, 'BullMQ has given up a delivery'),
      },
      config.webhooks.concurrency,
    );
    this.#timer = setInterval(() => this.wake(), LOOK_EVERY_MS).unref();
    this.wake();
  }

  /** A job may have ended. */
  wake(): void {
    if (this.#stopped || this.#worker === undefined) return;
    this.#again = true;
    this.#looking ??= this.#look();
  }

  /** What runs has `drainMs` to end; the rest is delivered by others. */
  async stop(drainMs: number): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#looking;
    await this.#worker?.close({ drainMs, unwindMs: UNWIND_MS });
  }

  async #look(): Promise<void> {
    // Those that end in one turn of the event loop are looked at together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#again && !this.#stopped) {
      this.#again = false;
      await this.#handOver().catch((error: Error) =>
        this.#parts.log.error({ cause: error.message }, 'webhooks cannot be handed over'),
      );
    }
    this.#looking = undefined;
  }

  async #handOver(): Promise<void> {
    const counted = await this.#queue.counts();
    const free = counted.ok ? this.#parts.config.webhooks.concurrency - counted.value.waiting : 0;
    if (free <= 0 || this.#stopped) return;
    const picked = await this.#table.pick(free);
    if (!picked.ok || picked.value.length === 0) return;
    const added = await this.#queue.add(picked.value.map(runOf));
    // Those that did arrive after all find that there is nothing to do.
    if (!added.ok)
      await Promise.all(picked.value.map((one) => this.#table.end(one, { outcome: 'returned' })));
  }

  async #run({ jobId, signal }: Delivery): Promise<RunOutcome> {
    const tried = tryOf(jobId);
    const event = known(await this.#table.findEvent(tried.event));
    if (event === undefined || event.tries !== tried.number || event.died_at_ms !== null) return 'done';
    const endpoint = known(await this.#table.findEndpoint(event.tenant));
    // An operator has taken it away, and its events with it.
    if (endpoint === undefined) return 'done';
    if (endpoint.status === 'disabled') return await this.#end(event, { outcome: 'returned' }, signal);
    const begunMs = performance.now();
    const reception = await deliver(this.#sender, endpoint, event, signal);
    if (signal.aborted) return 'again';
    const end = judge(this.#sender, reception, event.tries - event.forgiven);
    const tookSeconds = (performance.now() - begunMs) / 1_000;
    this.#parts.onTry(end.outcome, tookSeconds, Math.max(0, Date.now() - event.created_at_ms) / 1_000);
    return await this.#end(event, end, signal);
  }

  async #end(event: EventRecord, end: TryEnd, signal: AbortSignal): Promise<RunOutcome> {
    for (let times = 1; ; times += 1) {
      const ended = await this.#table.end({ event: event.id, number: event.tries }, end);
      if (ended.ok) break;
      if (times === SAID_TIMES || signal.aborted) throw new TryAgain();
      await pause(SAID_EVERY_MS);
    }
    this.#say(event, end);
    return 'done';
  }

  /** Never the address: it may hold a password of the receiver. */
  #say({ id, tenant, job, tries }: EventRecord, end: TryEnd): void {
    const { log } = this.#parts;
    const failure = 'cause' in end ? { status: end.status, cause: end.cause } : {};
    const line = { event: id, tenant, job, try: tries, outcome: end.outcome, ...failure };
    if (end.outcome === 'gone') log.warn(line, 'a receiver of webhooks wants no more; it is disabled');
    else if (end.outcome === 'dead') log.warn(line, 'an event of a webhook was given up');
    else log.info(line, 'delivery of a webhook');
  }
}

/** Each try is a run of its own for BullMQ, which may not have forgotten the last one yet. */
function runOf({ event, number }: Try): string {
  return `${event}.${number}`;
}

function tryOf(run: string): Try {
  const at = run.lastIndexOf('.');
  return { event: run.slice(0, at), number: Number(run.slice(at + 1)) };
}

/** @throws `TryAgain` where Redis does not answer */
function known<T>(answer: Answer<T>): T {
  if (!answer.ok) throw new TryAgain();
  return answer.value;
}
