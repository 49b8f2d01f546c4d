/**
 * The way of audit entries to Redis. A change and its entry lie in different slots of a Cluster, so they cannot be one
 * step: the change comes first. If its entry then finds no Redis, it is kept here and written as soon as it can be; a
 * process that dies before has it in its log alone.
 */
import type { AuditEntry } from '../core/audit.ts';
import type { AuditTable } from '../redis/audit-table.ts';
import type { Logger } from '../telemetry/log.ts';

interface TrailParts {
  readonly table: Pick<AuditTable, 'append'>;
  readonly log: Logger;
  readonly retryMs?: number;
}

const WAITING_MAX = 1_000;
const RETRY_MS = 1_000;

export class AuditTrail {
  readonly #parts: TrailParts;
  readonly #waiting: AuditEntry[] = [];
  #draining: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: TrailParts) {
    this.#parts = parts;
  }

  /** How many entries Redis does not have yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether it is in Redis; if not, it is kept and comes later. Takes at most twice the command time-out. */
  async append(entry: AuditEntry): Promise<boolean> {
    // One after the other: none comes before an older one that still waits.
    if (this.#waiting.length === 0 && (await this.#write(entry))) return true;
    this.keep(entry);
    return false;
  }

  /** For what nobody waits for. */
  keep(entry: AuditEntry): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#waiting.shift();
      this.#parts.log.error(
        { waiting: WAITING_MAX },
        'an audit entry was dropped: its line of the log has it',
      );
    }
    this.#waiting.push(entry);
    this.#drain();
  }

  /** Tries once more. Settles within twice the command time-out. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#drain();
    await this.#draining;
    clearTimeout(this.#timer);
  }

  #drain(): void {
    clearTimeout(this.#timer);
    this.#draining ??= this.#work().finally(() => {
      this.#draining = undefined;
      if (this.#waiting.length === 0) return;
      this.#timer = setTimeout(() => this.#drain(), this.#parts.retryMs ?? RETRY_MS).unref();
    });
  }

  async #work(): Promise<void> {
    for (let [entry] = this.#waiting; entry && (await this.#write(entry)); [entry] = this.#waiting) {
      if (this.#waiting[0] === entry) this.#waiting.shift();
    }
  }

  async #write(entry: AuditEntry): Promise<boolean> {
    try {
      return (await this.#parts.table.append(entry)).ok;
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      this.#parts.log.error({ cause, action: entry.action }, 'an audit entry cannot be written');
      return false;
    }
  }
}
