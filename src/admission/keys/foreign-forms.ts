/**
 * What imported keys look like. A key of another form than these, and without our checksum, is refused without
 * asking Redis for it. Kept in memory; read anew on a message and from time to time.
 */

import type { ForeignForm } from '../../redis/key-records.ts';
import type { KeyTable } from '../../redis/key-table.ts';
import type { Logger } from '../../telemetry/log.ts';

export class ForeignForms {
  readonly #table: KeyTable;
  readonly #log: Logger;
  #forms: readonly ForeignForm[] | undefined;
  #loading: Promise<void> | undefined;
  #changed = false;

  constructor(table: KeyTable, log: Logger) {
    this.#table = table;
    this.#log = log;
  }

  /** Undefined: not known, because Redis has not answered yet. */
  match(key: string): boolean | undefined {
    return this.#forms?.some((form) => matchesForm(key, form));
  }

  /** Keeps what it had when Redis does not answer. */
  load(): Promise<void> {
    this.#changed = true;
    this.#loading ??= this.#read()
      .catch((error: Error) =>
        this.#log.error({ cause: error.message }, 'forms of imported keys cannot be read'),
      )
      .finally(() => {
        this.#loading = undefined;
      });
    return this.#loading;
  }

  async #read(): Promise<void> {
    while (this.#changed) {
      this.#changed = false;
      const answer = await this.#table.foreignForms();
      if (answer.ok) this.#forms = answer.value;
    }
  }
}

export function matchesForm(key: string, form: ForeignForm): boolean {
  return 'prefix' in form ? key.startsWith(form.prefix) : key.length === form.length;
}
