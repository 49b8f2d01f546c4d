/**
 * No revoked key lives again. A Redis that comes back from an older copy of its data, or a replica that becomes primary
 * before it has all of them, has forgotten the last changes; a key that was revoked a minute ago is active there. So
 * each process remembers for an hour what it has heard, or has itself written, of keys that were revoked or disabled and
 * of tenants that were disabled, and looks at these records again whenever Redis has come back.
 *
 * A revocation is for good, so a record that says otherwise is wrong. A disabled key may have been enabled again: only a
 * record of an earlier revision than the remembered one was rolled back.
 *
 * What changes is looked up one batch at a time, each record once however often it changes meanwhile.
 */
import type { RedisConnection } from '../redis/connection.ts';
import { parseInvalidation } from '../redis/key-records.ts';
import { type KeyTable, keyTable } from '../redis/key-table.ts';
import type { Subscription } from '../redis/subscription.ts';
import type { Logger } from '../telemetry/log.ts';
import type { ChangedKey, KeyResult, KeyStore } from './keys/key-store.ts';
import {
  isRolledBack,
  nameOf,
  type RecordStatus,
  RevocationMemory,
  type Subject,
} from './revocation-memory.ts';

const WAITING_MAX = 100_000;
const AT_ONCE = 50;
const RETRY_MS = 500;

interface RevocationsParts {
  readonly redis: RedisConnection;
  readonly store: KeyStore;
  /** In milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

export class Revocations {
  readonly #parts: RevocationsParts;
  readonly #table: KeyTable;
  readonly #memory: RevocationMemory;
  readonly #waiting = new Map<string, Subject>();
  #working: Promise<void> | undefined;
  #subscription: Subscription | undefined;
  #unlisten: (() => void) | undefined;
  #stopped = false;
  #overflowed = false;

  constructor(parts: RevocationsParts) {
    this.#parts = parts;
    this.#table = keyTable(parts.redis);
    this.#memory = new RevocationMemory(parts.now);
  }

  start(): void {
    const { redis } = this.#parts;
    this.#subscription = redis.subscribe(redis.keys.invalidations(), {
      subscribed: () => undefined,
      received: (message) => this.#heard(message),
    });
    this.#unlisten = redis.onReturn(() => this.#lookAtAll());
  }

  stop(): void {
    this.#stopped = true;
    this.#subscription?.close();
    this.#unlisten?.();
  }

  /** Whether this key was revoked within the last hour, whatever Redis says now. */
  isRevoked(keyId: string): boolean {
    return this.#memory.find({ kind: 'key', name: keyId })?.status === 'revoked';
  }

  /** The store, with what is written through it remembered at once: Redis may be gone before the message arrives. */
  watching(store: KeyStore): KeyStore {
    const ofKey = async (id: string, result: Promise<KeyResult<ChangedKey>>) => {
      const written = await result;
      if (written.ok) this.#note({ kind: 'key', name: id }, written.record);
      return written;
    };
    return {
      ...store,
      revoke: (id) => ofKey(id, store.revoke(id)),
      update: (id, changes) => ofKey(id, store.update(id, changes)),
      updateTenant: async (name, changes) => {
        const written = await store.updateTenant(name, changes);
        if (written.ok) this.#note({ kind: 'tenant', name }, written.tenant);
        return written;
      },
    };
  }

  #heard(message: string): void {
    const change = parseInvalidation(message);
    if (!change || change.kind === 'forms') return;
    const { kind, tenant, ended } = change;
    const subject: Subject = { kind, name: kind === 'key' ? change.key : tenant };
    // What has ended is not read first: Redis may be gone before that, and come back without it.
    if (ended) this.#note(subject, ended);
    else this.#lookAt(subject);
  }

  #lookAtAll(): void {
    for (const subject of this.#memory.subjects()) this.#lookAt(subject);
  }

  #lookAt(subject: Subject): void {
    if (this.#waiting.size >= WAITING_MAX) {
      if (!this.#overflowed) this.#parts.log.warn('changes of keys come faster than they can be looked at');
      this.#overflowed = true;
      return;
    }
    this.#waiting.set(nameOf(subject), subject);
    this.#begin();
  }

  #begin(): void {
    this.#working ??= this.#work()
      .catch((error: Error) =>
        this.#parts.log.error({ cause: error.message }, 'a change cannot be looked at'),
      )
      .finally(() => {
        this.#working = undefined;
        if (this.#waiting.size > 0 && !this.#stopped) this.#begin();
      });
  }

  async #work(): Promise<void> {
    while (this.#waiting.size > 0 && !this.#stopped) {
      const batch = [...this.#waiting.values().take(AT_ONCE)];
      for (const subject of batch) this.#waiting.delete(nameOf(subject));
      const seen = await Promise.all(batch.map((subject) => this.#look(subject)));
      const unseen = batch.filter((_, index) => !seen[index]);
      for (const subject of unseen) this.#waiting.set(nameOf(subject), subject);
      if (unseen.length > 0) await pause(RETRY_MS);
    }
    this.#overflowed = false;
  }

  /** False: it has to be looked at again. */
  async #look(subject: Subject): Promise<boolean> {
    const { kind, name } = subject;
    const knownBefore = this.#memory.find(subject);
    const found = kind === 'key' ? await this.#table.findById(name) : await this.#table.findTenant(name);
    if (!found.ok) return false;
    const record = found.value;
    if (!record) return true;
    const known = this.#memory.find(subject);
    // Something newer was heard while it was read.
    if (known !== knownBefore) return this.#look(subject);
    if (!isRolledBack(record, known)) {
      this.#note(subject, record);
      return true;
    }
    return this.#reassert(subject);
  }

  async #reassert(subject: Subject): Promise<boolean> {
    const { kind, name } = subject;
    const { store, log } = this.#parts;
    const known = this.#memory.find(subject);
    if (!known) return true;
    const written =
      kind === 'tenant'
        ? await store.updateTenant(name, { status: 'disabled' })
        : known.status === 'revoked'
          ? await store.revoke(name)
          : await store.update(name, { status: 'disabled' });
    // Gone since it was read, so it serves nobody; for all other reasons it is tried again.
    if (!written.ok) return written.refusal.name === 'not_found';
    this.#note(subject, 'tenant' in written ? written.tenant : written.record);
    log.warn({ [kind]: name, status: known.status }, 'Redis had lost a change, which was made again');
    return true;
  }

  /** What was written after a rollback, and before it was put right, revives nothing either. */
  #note(subject: Subject, record: RecordStatus): void {
    if (!this.#memory.note(subject, record)) this.#lookAt(subject);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
