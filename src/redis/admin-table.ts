/** Admins as they lie in Redis: records with the digests of their keys, and apart from them when each was last used. */
import type { AdminRecord } from '../core/admin.ts';
import type { Answer, RedisConnection } from './connection.ts';

export interface AdminSecret {
  readonly digest: string;
  /** ISO 8601; null: as long as the admin. */
  readonly not_after: string | null;
}

export interface StoredAdmin extends AdminRecord {
  /** The newest first. */
  readonly secrets: readonly AdminSecret[];
}

export interface AdminTable {
  find(id: string): Promise<Answer<StoredAdmin | undefined>>;
  /** All of them, the oldest first, 1,000 at most. */
  all(): Promise<Answer<readonly StoredAdmin[]>>;
  /** By id, in milliseconds; who was never there is not in it. */
  lastUses(): Promise<Answer<ReadonlyMap<string, number>>>;
  /**
   * Durable, over the revision before the record's own, or as a new one where that is 1.
   * `changed`: somebody else was first; `full`: there are as many as may be.
   */
  write(stored: StoredAdmin): Promise<Answer<'written' | 'changed' | 'full'>>;
  remove(id: string): Promise<Answer<unknown>>;
  noteUse(id: string, atMs: number): Promise<Answer<unknown>>;
}

export const ADMINS_MAX = 1_000;

const outcomes = { 1: 'written', 0: 'changed', [-1]: 'full' } as const;

export function adminTable({ ask, durable, keys }: RedisConnection): AdminTable {
  return {
    find: (id) => ask(async (client) => parseAdmin(await client.hget(keys.admins(), id))),

    all: () =>
      ask(async (client) => {
        const admins = (await client.hvals(keys.admins())).map(parseAdmin).filter((one) => one !== undefined);
        return admins.sort((one, other) => (order(one) < order(other) ? -1 : 1));
      }),

    lastUses: () =>
      ask(async (client) => {
        const uses = Object.entries(await client.hgetall(keys.adminUses()));
        return new Map(uses.map(([id, atMs]) => [id, Number(atMs)]));
      }),

    write: (stored) =>
      durable(async (client) => {
        const text = JSON.stringify(stored);
        const written = await client.writeAdmin(
          keys.admins(),
          stored.id,
          stored.revision - 1,
          text,
          ADMINS_MAX,
        );
        return outcomes[written];
      }, keys.admins()),

    remove: (id) =>
      durable(async (client) => {
        await client.hdel(keys.admins(), id);
        await client.hdel(keys.adminUses(), id);
      }, keys.admins()),

    noteUse: (id, atMs) => ask((client) => client.hset(keys.adminUses(), id, atMs)),
  };
}

function order({ created_at, id }: StoredAdmin): string {
  return `${created_at} ${id}`;
}

function parseAdmin(text: string | null): StoredAdmin | undefined {
  return text === null ? undefined : JSON.parse(text);
}
