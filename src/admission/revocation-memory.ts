/** What a process has heard of keys that were revoked or disabled and of tenants that were disabled: an hour, bounded. */
import type { KeyRecord, TenantRecord } from '../core/principal.ts';

const REMEMBERED_MS = 3_600_000;
const REMEMBERED_MAX = 10_000;

export interface Subject {
  readonly kind: 'key' | 'tenant';
  /** Id of the key, or name of the tenant. */
  readonly name: string;
}

/** What of a record matters here. */
export type RecordStatus = Pick<KeyRecord | TenantRecord, 'status' | 'revision'>;

export interface Remembered {
  readonly subject: Subject;
  readonly status: 'revoked' | 'disabled';
  readonly revision: number;
  readonly atMs: number;
}

export class RevocationMemory {
  readonly #now: () => number;
  readonly #countMax: number;
  /** The oldest first. */
  readonly #bySubject = new Map<string, Remembered>();

  /** @param now in milliseconds */
  constructor(now: () => number, countMax = REMEMBERED_MAX) {
    this.#now = now;
    this.#countMax = countMax;
  }

  get size(): number {
    return this.#bySubject.size;
  }

  find(subject: Subject): Remembered | undefined {
    const known = this.#bySubject.get(nameOf(subject));
    return known && !this.#isOver(known) ? known : undefined;
  }

  subjects(): readonly Subject[] {
    this.#forgetOld();
    return [...this.#bySubject.values()].map(({ subject }) => subject);
  }

  /** False: the record cannot be true, for a revocation is for good. */
  note(subject: Subject, { status, revision }: RecordStatus): boolean {
    const known = this.find(subject);
    if (known?.status === 'revoked' && status !== 'revoked') return false;
    if (known?.status === status && known.revision === revision) return true;
    const name = nameOf(subject);
    this.#bySubject.delete(name);
    if (status === 'active') return true;
    this.#bySubject.set(name, { subject, status, revision, atMs: this.#now() });
    this.#forgetOld();
    return true;
  }

  #forgetOld(): void {
    for (const [name, known] of this.#bySubject) {
      if (this.#bySubject.size <= this.#countMax && !this.#isOver(known)) return;
      this.#bySubject.delete(name);
    }
  }

  #isOver({ atMs }: Remembered): boolean {
    return this.#now() - atMs > REMEMBERED_MS;
  }
}

/** Whether a record is older than what is remembered of it. */
export function isRolledBack(record: RecordStatus, known: Remembered | undefined): boolean {
  if (!known || record.status === known.status || record.status === 'revoked') return false;
  return known.status === 'revoked' || record.revision < known.revision;
}

export function nameOf({ kind, name }: Subject): string {
  return `${kind} ${name}`;
}
