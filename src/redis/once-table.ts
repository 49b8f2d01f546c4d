/** Requests with an `Idempotency-Key`, each of which must run once, as the scripts take them. */
import { answerFields, type KeptAnswer, readKeptAnswer } from './answer-table.ts';
import type { Answer, RedisConnection } from './connection.ts';
import type { AnswerFields } from './scripts.ts';

/** All are digests or made up here: what a caller has sent never becomes part of a key. */
export interface OnceEntry {
  readonly tenant: string;
  /** Of the Idempotency-Key. */
  readonly id: string;
  /** Of route and body. */
  readonly request: string;
  readonly holder: string;
}

export type Begun =
  /** It is the holder's to run, for as long as the lease lasts. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'running'; readonly forMs: number }
  /** The key belongs to another request. */
  | { readonly kind: 'mismatch' }
  /** The tenant has too many entries, or too many bytes in them. */
  | { readonly kind: 'full'; readonly firstEndsInMs: number }
  /** Undefined: the answer was not kept. */
  | { readonly kind: 'finished'; readonly answer: KeptAnswer | undefined };

export interface OnceBounds {
  readonly leaseMs: number;
  readonly lifetimeMs: number;
  readonly tenantEntriesMax: number;
  readonly tenantBytesMax: number;
}

export interface OnceTable {
  begin(entry: OnceEntry): Promise<Answer<Begun>>;
  /** False: it is somebody else's by now, or finished. */
  renew(entry: OnceEntry): Promise<Answer<boolean>>;
  /** @param answer undefined: it has run, and its answer cannot be kept */
  finish(entry: OnceEntry, answer: KeptAnswer | undefined): Promise<Answer<'kept' | 'not_kept' | 'lost'>>;
  /** As if it had never been: the next one runs anew. */
  free(entry: OnceEntry): Promise<Answer<unknown>>;
}

export function onceTable(
  { ask, keys }: Pick<RedisConnection, 'ask' | 'keys'>,
  bounds: OnceBounds,
): OnceTable {
  const { leaseMs, lifetimeMs, tenantEntriesMax, tenantBytesMax } = bounds;
  return {
    begin: ({ tenant, id, request, holder }) =>
      ask(async (client) => {
        const entry = [keys.root(tenant), id, request, holder] as const;
        return readBegun(await client.beginOnceBuffer(...entry, leaseMs, tenantEntriesMax, tenantBytesMax));
      }, 'answers'),

    renew: ({ tenant, id, request, holder }) =>
      ask(
        async (client) => (await client.renewOnce(keys.root(tenant), id, request, holder, leaseMs)) === 1,
        'answers',
      ),

    finish: ({ tenant, id, request, holder }, answer) =>
      ask(async (client) => {
        const whole = answer ? answerFields(answer) : [];
        const limits = [lifetimeMs, tenantBytesMax] as const;
        const done = await client.finishOnce(keys.root(tenant), id, request, holder, ...limits, ...whole);
        if (done === 0) return 'lost' as const;
        return done === 1 && answer ? ('kept' as const) : ('not_kept' as const);
      }, 'answers'),

    free: ({ tenant, id, request, holder }) =>
      ask((client) => client.finishOnce(keys.root(tenant), id, request, holder, 0), 'answers'),
  };
}

function readBegun([code, ...rest]: [number, ...(number | Buffer)[]]): Begun {
  if (code === 0) return { kind: 'begun' };
  if (code === 1) return { kind: 'running', forMs: Number(rest[0]) };
  if (code === 2) return { kind: 'mismatch' };
  if (code === 3) return { kind: 'full', firstEndsInMs: Number(rest[0]) };
  return { kind: 'finished', answer: code === 4 ? readKeptAnswer(rest as AnswerFields) : undefined };
}
