/**
 * When keys were last used, for those who tidy up. Noted in memory by the path of every call, and brought to Redis once
 * a minute: approximate on purpose. A replica that dies forgets its last minute.
 */
import type { KeyUse } from '../../core/principal.ts';
import type { KeyUseTable } from '../../redis/key-use-table.ts';
import type { Logger } from '../../telemetry/log.ts';

const WRITE_EVERY_MS = 60_000;

interface Noted {
  readonly tenant: string;
  readonly id: string;
  readonly use: KeyUse;
  /** What Redis has. */
  writtenMs: number;
}

interface KeyUsesParts {
  readonly table: Pick<KeyUseTable, 'note'>;
  /** Keys that are noted at the same time; of more, those that were met first are noted again when they are read anew. */
  readonly countMax: number;
  readonly log: Logger;
  readonly everyMs?: number;
}

export class KeyUses {
  readonly #parts: KeyUsesParts;
  /** Asked when a record was read, not on the path of a call. */
  readonly #noted = new Map<string, Noted>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: KeyUsesParts) {
    this.#parts = parts;
  }

  /** Always the same of a key, for as long as it is remembered. */
  of(tenant: string, keyId: string): KeyUse {
    const name = `${tenant}/${keyId}`;
    const noted = this.#noted.get(name);
    if (noted) return noted.use;
    const [oldest] = this.#noted.keys();
    if (oldest !== undefined && this.#noted.size >= this.#parts.countMax) this.#noted.delete(oldest);
    const use = { lastAtMs: 0 };
    this.#noted.set(name, { tenant, id: keyId, use, writtenMs: 0 });
    return use;
  }

  start(): void {
    this.#timer = setInterval(() => void this.write(), this.#parts.everyMs ?? WRITE_EVERY_MS).unref();
  }

  /** Writes what is left; settles within the command time-out. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.write();
  }

  /** What Redis does not take is written the next time. */
  async write(): Promise<void> {
    const due = [...this.#noted.values()].filter(({ use, writtenMs }) => use.lastAtMs > writtenMs);
    if (due.length === 0) return;
    const uses = due.map(({ tenant, id, use }) => ({ tenant, id, atMs: use.lastAtMs }));
    try {
      const written = await this.#parts.table.note(uses);
      if (!written.ok) return;
      for (const [index, noted] of due.entries()) noted.writtenMs = uses[index]?.atMs ?? 0;
    } catch (error) {
      this.#parts.log.error({ cause: (error as Error).message }, 'last uses of keys cannot be written');
    }
  }
}
