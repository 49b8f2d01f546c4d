/**
 * Asking for a key, once for all who want it at the same time. A change that arrives while the question is
 * under way voids its answer, because that may have been read before the change: it is asked again.
 */
import type { Answer } from '../../redis/connection.ts';
import type { StoreFailure } from '../../redis/failure.ts';
import type { FoundKey } from '../../redis/key-table.ts';

/** A record that changes faster than it can be read so many times over is not waited for. */
const ATTEMPTS_MAX = 5;

const changedTooOften: StoreFailure = { kind: 'unavailable', cause: 'the record changed while it was read' };

/** Undefined in the answer: no such key. */
export type FoundAnswer = Answer<FoundKey | undefined>;

interface Flight<T> {
  readonly result: Promise<T>;
  /** What has changed since the current attempt began: tenants by name, and keys by id. */
  readonly changed: Set<string>;
  everythingChanged: boolean;
}

interface KeyLookupParts<T> {
  load(digest: string): Promise<FoundAnswer>;
  /** Called once for each question, with the time at which it was put. */
  conclude(digest: string, answer: FoundAnswer, askedAtMs: number): T;
}

export class KeyLookup<T> {
  readonly #parts: KeyLookupParts<T>;
  readonly #flights = new Map<string, Flight<T>>();

  constructor(parts: KeyLookupParts<T>) {
    this.#parts = parts;
  }

  find(digest: string, nowMs: number): Promise<T> {
    const underWay = this.#flights.get(digest);
    if (underWay) return underWay.result;
    const flight: Flight<T> = {
      changed: new Set(),
      everythingChanged: false,
      result: Promise.resolve()
        .then(() => this.#untilUnchanged(digest, flight))
        .then((answer) => this.#parts.conclude(digest, answer, nowMs))
        .finally(() => this.#flights.delete(digest)),
    };
    this.#flights.set(digest, flight);
    return flight.result;
  }

  isUnderWay(digest: string): boolean {
    return this.#flights.has(digest);
  }

  /** @param name of a tenant, or id of a key */
  voidWhatTouches(name: string): void {
    for (const flight of this.#flights.values()) flight.changed.add(name);
  }

  voidAll(): void {
    for (const flight of this.#flights.values()) flight.everythingChanged = true;
  }

  async #untilUnchanged(digest: string, flight: Flight<T>): Promise<FoundAnswer> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      flight.changed.clear();
      flight.everythingChanged = false;
      const answer = await this.#parts.load(digest);
      if (!answer.ok || !isVoid(flight, answer.value)) return answer;
    }
    return { ok: false, failure: changedTooOften };
  }
}

function isVoid({ changed, everythingChanged }: Flight<unknown>, found: FoundKey | undefined): boolean {
  if (everythingChanged) return true;
  // Whatever changed may have been the making of this very key.
  if (!found) return changed.size > 0;
  return changed.has(found.stored.id) || changed.has(found.stored.tenant);
}
