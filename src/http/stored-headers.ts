import type { AnsweredFrom, Call, StoredMark } from '../core/call.ts';

/** What `pushStoredHeaders` may add, for pages that want to read them. */
export const storedHeaderNames: readonly string[] = ['x-cache', 'age', 'idempotency-replayed'];

/** Tells the caller of a model with a cache, or of a repeated request, where the answer comes from. */
export function pushStoredHeaders(list: string[], stored: StoredMark, answeredFrom: AnsweredFrom): void {
  const { cache, ageSeconds, isReplayed } = stored;
  if (cache) list.push('x-cache', answeredFrom === 'shared' ? 'shared' : cache);
  if (ageSeconds !== undefined) list.push('age', String(ageSeconds));
  if (isReplayed) list.push('idempotency-replayed', 'true');
}

/** `Cache-Control` of an answer in JSON: one with an age was kept, and nobody on its way shall share it. */
export function keepingOf({ stored }: Call): string {
  return stored?.cache === 'hit' ? 'private' : 'no-store';
}
