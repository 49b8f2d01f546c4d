/** Puts together what decides, remembers and tidies up, and begins and ends it in the right order. */
import type { Config } from '../config/schema.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { learnedTable } from '../redis/learned-table.ts';
import { sweepTable } from '../redis/sweep-table.ts';
import { type FoundTicket, ticketTable } from '../redis/ticket-table.ts';
import type { Logger } from '../telemetry/log.ts';
import { Admission, type AdmissionEvents } from './admission.ts';
import { LocalShare } from './degraded/local-share.ts';
import { Estimator, type OnEstimateError } from './estimate/estimator.ts';
import { LearnedMerge } from './estimate/learned-merge.ts';
import { Installation } from './installation.ts';
import { JobTickets } from './jobs/job-tickets.ts';
import type { KeyStore } from './keys/key-store.ts';
import { Replicas } from './replicas.ts';
import { Revocations } from './revocations.ts';
import { TenantSeeds } from './tenant-seeds.ts';
import { AdmissionDesk } from './tickets/desk.ts';
import { OpenTickets } from './tickets/open-tickets.ts';
import { Settler } from './tickets/settler.ts';
import { Sweeper } from './tickets/sweeper.ts';

export interface AdmissionObserver {
  admissionDecided(...decision: Parameters<AdmissionEvents['onDecision']>): void;
  limitsUsed(...use: Parameters<AdmissionEvents['onLimitsUsed']>): void;
  charged(...charge: Parameters<AdmissionEvents['onCharged']>): void;
  ticketsSettled(found: readonly FoundTicket[]): void;
  settlementsDropped(count: number): void;
  ticketsLost(count: number): void;
  slotsRetaken(count: number): void;
  estimateErred(...error: Parameters<OnEstimateError>): void;
}

interface AssemblyParts {
  readonly config: Config;
  readonly version: string;
  /** As `Replicas` has it. */
  readonly hasShare: boolean;
  readonly redis: RedisConnection;
  readonly keys: KeyStore;
  /** Public names of the models that are served now. */
  readonly models: () => readonly string[];
  /** Calls that each upstream works on for this replica. */
  readonly inFlight: () => Readonly<Record<string, number>>;
  readonly observer: AdmissionObserver;
  readonly log: Logger;
}

const MERGE_EVERY_MS = 10_000;

export class AssembledAdmission {
  readonly admission: Admission;
  readonly jobTickets: JobTickets;
  readonly estimator: Estimator;
  readonly replicas: Replicas;
  readonly installation: Installation;
  readonly #redis: RedisConnection;
  readonly #settler: Settler;
  readonly #open: OpenTickets;
  readonly #sweeper: Sweeper;
  readonly #merge: LearnedMerge;
  readonly #seeds: TenantSeeds;
  #unlisten: (() => void) | undefined;
  readonly revocations: Revocations;

  constructor({ config, version, hasShare, redis, keys, models, inFlight, observer, log }: AssemblyParts) {
    const { lease_seconds, heartbeat_seconds } = config.admission;
    const leaseMs = lease_seconds * 1_000;
    const tickets = ticketTable(redis);
    this.#redis = redis;
    this.estimator = new Estimator((...error) => observer.estimateErred(...error));
    this.replicas = new Replicas({ redis, version, hasShare, inFlight, log });
    this.installation = new Installation({ redis, log });
    this.revocations = new Revocations({ redis, store: keys, now: Date.now, log });
    this.#seeds = new TenantSeeds({
      seeds: config.tenants,
      store: keys,
      isDataTrusted: () => this.installation.isTrusted(),
      log,
    });
    this.#merge = new LearnedMerge({
      estimator: this.estimator,
      table: learnedTable(redis),
      models,
      intervalMs: MERGE_EVERY_MS,
      log,
    });
    const replica = this.replicas.id;
    this.#settler = new Settler({
      table: tickets,
      replica,
      callsKept: config.usage.calls_kept,
      log,
      onSettled: (found) => observer.ticketsSettled(found),
      onDropped: (count) => observer.settlementsDropped(count),
    });
    this.#open = new OpenTickets(tickets, { leaseMs, everyMs: heartbeat_seconds * 1_000 }, (count) =>
      observer.slotsRetaken(count),
    );
    this.#sweeper = new Sweeper({
      tickets,
      table: sweepTable(redis),
      replica,
      log,
      onLost: (count) => observer.ticketsLost(count),
    });
    const events: AdmissionEvents = {
      onDecision: (...decision) => observer.admissionDecided(...decision),
      onLimitsUsed: (...use) => observer.limitsUsed(...use),
      onCharged: (...charge) => observer.charged(...charge),
    };
    const shared = {
      ...events,
      desk: new AdmissionDesk(tickets, leaseMs),
      settler: this.#settler,
      open: this.#open,
      sweeper: this.#sweeper,
      redisState: redis.state,
    };
    this.jobTickets = new JobTickets({ table: tickets, ...shared });
    this.admission = new Admission({
      ...shared,
      local: new LocalShare({ replicas: this.replicas, now: Date.now }),
      replica,
      isDataTrusted: () => this.installation.isTrusted(),
    });
  }

  /** Calls that hold a ticket. */
  get openTickets(): number {
    return this.#open.size;
  }

  /** Closings that Redis has not confirmed. */
  get backlog(): number {
    return this.#settler.backlog;
  }

  start(): void {
    this.replicas.start();
    this.installation.start();
    this.revocations.start();
    this.#seeds.start();
    this.#merge.start();
    this.#open.start();
    this.#sweeper.start();
    this.#unlisten = this.#redis.onReturn(() => this.#sweeper.forgetNotes());
  }

  /** After the last call has ended. Settlements that Redis does not take within the limit are left to the sweep. */
  async stop(limitMs: number): Promise<void> {
    this.#unlisten?.();
    this.#sweeper.stop();
    this.#merge.stop();
    this.revocations.stop();
    this.#seeds.stop();
    this.installation.stop();
    await this.#settler.flush(limitMs);
    this.#open.stop();
    await this.replicas.stop();
  }
}
