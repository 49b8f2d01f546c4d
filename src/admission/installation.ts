/**
 * Are the data in Redis those that this cluster has worked with? Redis may come back empty after a loss, or as another
 * one after a wrong failover, and then every key looks unknown: to answer 401 would tell all callers that their keys
 * are wrong. So an id stands in Redis beside the data, and each process remembers the one that it has seen.
 *
 *     there is none, and none was known here      make one: this is a new installation, as far as anybody can tell
 *     there is none, but one was known here       make one, and write beside it that the known one is missed
 *     another than was known here                 write beside it that the known one is missed
 *     one that somebody misses                    lost
 *     the one that was known, missed by nobody    trusted; likewise one that was accepted in place of it
 *
 * A process that starts knows nothing, so it cannot tell an empty Redis from a new one. If others run and miss what was
 * there, they say so as soon as they are connected again, and what they say is read within a second by whoever has made
 * an id. Doubt stays in Redis, so it outlives every process, until an operator accepts the data as they are or restores
 * the old ones, whose id nobody misses.
 *
 * Data that were rolled back have the id that they always had: that is not what this is for, but `Revocations`.
 */
import { randomUUID } from 'node:crypto';
import { refusal } from '../core/errors.ts';
import { type ClusterTable, clusterTable, type InstallationRecord } from '../redis/cluster-table.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Logger } from '../telemetry/log.ts';
import type { KeyResult } from './keys/key-store.ts';
import { changedMeanwhile, refused, storeAway } from './keys/store-refusals.ts';

const EVERY_MS = 5_000;
/** While it is lost, or made here a moment ago. */
const EVERY_DOUBTFUL_MS = 1_000;
const EVERY_UNCHECKED_MS = 250;
const IDS_KEPT = 16;

interface InstallationParts {
  readonly redis: RedisConnection;
  readonly log: Logger;
}

type Outcome = 'trusted' | 'made' | 'lost' | 'unchecked';

export class Installation {
  readonly #parts: InstallationParts;
  readonly #table: ClusterTable;
  #known: string | undefined;
  #lost = false;
  /** Since Redis was last away. */
  #checked = false;
  /** Grows whenever the data may have become others. */
  #doubts = 0;
  #checking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  readonly #unlisten: (() => void)[] = [];

  constructor(parts: InstallationParts) {
    this.#parts = parts;
    this.#table = clusterTable(parts.redis);
  }

  start(): void {
    const { redis } = this.#parts;
    this.#unlisten.push(
      redis.onState((state) => {
        this.#doubt();
        if (state === 'ok') void this.check();
      }),
      redis.onReturn(() => {
        this.#doubt();
        void this.check();
      }),
    );
    void this.check();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const unlisten of this.#unlisten) unlisten();
  }

  /**
   * Whether a key that is not in Redis is unknown. If not, the data may be gone, and nobody can tell. False also from
   * the moment when Redis goes until its data have been looked at again.
   */
  isTrusted(): boolean {
    return this.#checked && !this.#lost;
  }

  /** Whether the data that this cluster has worked with are known to be gone: for the alert. */
  isLost(): boolean {
    return this.#lost;
  }

  /** Looks now. Settles within two command time-outs. */
  check(): Promise<void> {
    const doubts = this.#doubts;
    this.#checking ??= this.#look()
      .catch((error: Error): Outcome => {
        this.#parts.log.error({ cause: error.message }, 'the installation cannot be checked');
        return 'unchecked';
      })
      .then((outcome) => this.#conclude(doubts === this.#doubts ? outcome : 'unchecked'))
      .finally(() => {
        this.#checking = undefined;
      });
    return this.#checking;
  }

  /**
   * The data are accepted as they are: all replicas trust them within a second. Refusals: `store_unavailable`, and
   * `conflict` when nobody misses anything, or somebody else has changed it at the same time.
   */
  async accept(): Promise<KeyResult<{ readonly id: string; readonly accepted_from: readonly string[] }>> {
    const found = await this.#table.installation();
    if (!found.ok) return storeAway();
    const { record } = found.value;
    const missed = this.#missedFor(record);
    if (record && missed.length === 0) return refused(nothingIsMissed);
    const accepted: InstallationRecord = {
      id: record?.id ?? randomUUID(),
      doubted_by: [],
      accepted_from: joined(record?.accepted_from ?? [], missed),
    };
    const replaced = await this.#table.replaceInstallation(found.value, accepted);
    if (!replaced.ok) return storeAway();
    if (!replaced.value) return changedMeanwhile();
    await this.#checking;
    await this.check();
    return { ok: true, id: accepted.id, accepted_from: accepted.accepted_from };
  }

  #doubt(): void {
    this.#checked = false;
    this.#doubts += 1;
  }

  async #look(): Promise<Outcome> {
    const found = await this.#table.installation();
    if (!found.ok) return 'unchecked';
    const { text, record } = found.value;
    // Something else stands there. It is not written over, for it may be a newer release's.
    if (text !== '' && !record) return 'lost';
    const missed = this.#missedFor(record);
    if (record && missed.length === record.doubted_by.length) {
      if (missed.length > 0) return 'lost';
      this.#known = record.id;
      return 'trusted';
    }
    const replaced = await this.#table.replaceInstallation(found.value, {
      id: record?.id ?? randomUUID(),
      doubted_by: missed,
      accepted_from: record?.accepted_from ?? [],
    });
    if (!replaced.ok || !replaced.value) return 'unchecked';
    return missed.length > 0 ? 'lost' : 'made';
  }

  /** Ids of the data that somebody misses, this process among them. */
  #missedFor(record: InstallationRecord | undefined): readonly string[] {
    const doubted = record?.doubted_by ?? [];
    const known = this.#known;
    if (known === undefined || known === record?.id || record?.accepted_from.includes(known)) return doubted;
    return joined(doubted, [known]);
  }

  #conclude(outcome: Outcome): void {
    const { log } = this.#parts;
    if (outcome !== 'unchecked') {
      const isLost = outcome === 'lost';
      if (isLost && !this.#lost)
        log.error('Redis does not hold the data of this installation: restore or accept them');
      if (!isLost && this.#lost) log.info('Redis holds the data of this installation');
      if (outcome === 'made') log.info('Redis held no installation: a new one was made');
      this.#lost = isLost;
      this.#checked = true;
    }
    if (!this.#stopped) this.#schedule(outcome);
  }

  /** One that was made here is read in a moment, and known from then on if nobody misses another. */
  #schedule(outcome: Outcome): void {
    clearTimeout(this.#timer);
    const afterMs = {
      trusted: EVERY_MS,
      made: EVERY_DOUBTFUL_MS,
      lost: EVERY_DOUBTFUL_MS,
      unchecked: EVERY_UNCHECKED_MS,
    };
    this.#timer = setTimeout(() => void this.check(), afterMs[outcome]).unref();
  }
}

const nothingIsMissed = refusal(
  'conflict',
  'The data in Redis are those of this installation: there is nothing to accept.',
);

/** Each once, the newest last, and bounded. */
function joined(ids: readonly string[], more: readonly string[]): readonly string[] {
  return [...new Set([...ids, ...more])].slice(-IDS_KEPT);
}
