/**
 * Keys and tenants as they lie in Redis. Each function is one step; what they mean together is decided above. A
 * write of the truth is durable: a revocation that was answered must outlive the primary that took it.
 */
import type { KeyRecord, TenantRecord } from '../core/principal.ts';
import type { Answer, RedisClient, RedisConnection } from './connection.ts';
import {
  endOf,
  type ForeignForm,
  type Invalidation,
  parseKey,
  parseTenant,
  recordText,
  type SecretPointer,
  type StoredKey,
} from './key-records.ts';

export interface FoundKey {
  readonly stored: StoredKey;
  readonly tenant: TenantRecord | undefined;
  /** Read before the records: a change meanwhile makes them look older than they are, never newer. */
  readonly version: number;
}

export interface KeyPage {
  readonly records: readonly StoredKey[];
  readonly nextCursor: string | null;
}

export interface TenantPage {
  readonly records: readonly TenantRecord[];
  readonly nextCursor: string | null;
}

export interface KeyTable {
  findBySecret(digest: string): Promise<Answer<FoundKey | undefined>>;
  findById(keyId: string): Promise<Answer<StoredKey | undefined>>;
  /** As `findBySecret`, of a key that is known by its id. */
  findOfTenant(tenant: string, keyId: string): Promise<Answer<FoundKey | undefined>>;
  findTenant(name: string): Promise<Answer<TenantRecord | undefined>>;
  findTenantVersioned(name: string): Promise<Answer<Omit<FoundKey, 'stored'>>>;
  /** Answers the pointer that stands there already, or undefined when the secret is now claimed. */
  claimSecret(digest: string, pointer: SecretPointer): Promise<Answer<SecretPointer | undefined>>;
  /** Enters a key that is about to be made into all that leads to it. */
  index(pointer: SecretPointer, createdAtMs: number): Promise<Answer<unknown>>;
  /**
   * False when the id is taken.
   * @param requestsUsed counts against a quota of requests in total
   */
  createKey(
    stored: StoredKey,
    tenant: TenantRecord,
    createdAtMs: number,
    requestsUsed?: number,
  ): Promise<Answer<boolean>>;
  /** False when there is such a tenant already. */
  createTenant(record: TenantRecord): Promise<Answer<boolean>>;
  /** False when the record is not at the revision before this one. */
  replaceKey(stored: StoredKey): Promise<Answer<boolean>>;
  replaceTenant(record: TenantRecord): Promise<Answer<boolean>>;
  expireSecrets(digests: readonly string[], atMs: number): Promise<Answer<unknown>>;
  /** Undefined when there is no such cursor. */
  pageOfKeys(
    tenant: string | undefined,
    limit: number,
    cursor?: string,
  ): Promise<Answer<KeyPage | undefined>>;
  pageOfTenants(limit: number, cursor?: string): Promise<Answer<TenantPage>>;
  foreignForms(): Promise<Answer<readonly ForeignForm[]>>;
  addForeignForm(form: ForeignForm): Promise<Answer<unknown>>;
}

export function keyTable({ ask, durable, keys }: RedisConnection): KeyTable {
  const readKey = async (client: RedisClient, pointer: SecretPointer): Promise<FoundKey | undefined> => {
    const [version, record, tenant] = await Promise.all([
      client.hget(keys.meta(pointer.tenant), 'version'),
      client.get(keys.key(pointer.tenant, pointer.key)),
      client.get(keys.tenant(pointer.tenant)),
    ]);
    const stored = parseKey(record);
    return stored && { stored, tenant: parseTenant(tenant), version: Number(version ?? 0) };
  };
  return {
    findBySecret: (digest) =>
      ask(async (client) => {
        const pointer = parsed<SecretPointer>(await client.get(keys.secret(digest)));
        return pointer && readKey(client, pointer);
      }),

    findOfTenant: (tenant, key) => ask((client) => readKey(client, { tenant, key })),

    findById: (keyId) =>
      ask(async (client) => {
        const tenant = await client.get(keys.owner(keyId));
        return tenant === null ? undefined : parseKey(await client.get(keys.key(tenant, keyId)));
      }),

    findTenant: (name) => ask(async (client) => parseTenant(await client.get(keys.tenant(name)))),

    findTenantVersioned: (name) =>
      ask(async (client) => {
        const [version, tenant] = await Promise.all([
          client.hget(keys.meta(name), 'version'),
          client.get(keys.tenant(name)),
        ]);
        return { tenant: parseTenant(tenant), version: Number(version ?? 0) };
      }),

    claimSecret: (digest, pointer) =>
      durable(
        async (client) =>
          parsed<SecretPointer>(await client.set(keys.secret(digest), JSON.stringify(pointer), 'NX', 'GET')),
        keys.secret(digest),
      ),

    index: (pointer, createdAtMs) =>
      ask((client) =>
        Promise.all([
          client.set(keys.owner(pointer.key), pointer.tenant),
          client.zadd(keys.allKeys(), createdAtMs, `${pointer.tenant}/${pointer.key}`),
          client.zadd(keys.tenants(), 0, pointer.tenant),
        ]),
      ),

    createKey: (stored, tenant, createdAtMs, requestsUsed = 0) =>
      durable(
        async (client) => {
          const written = await client.createKey(
            keys.key(stored.tenant, stored.id),
            keys.tenant(stored.tenant),
            keys.keysOf(stored.tenant),
            keys.account(stored.tenant, `key:${stored.id}`),
            recordText(stored),
            recordText(tenant),
            stored.id,
            createdAtMs,
            keys.invalidations(),
            invalidation({ kind: 'key', tenant: stored.tenant, key: stored.id }),
            requestsUsed > 0 ? `0 ${requestsUsed} 0 0 0 0` : '',
          );
          return written === 1;
        },
        keys.key(stored.tenant, stored.id),
      ),

    createTenant: (record) =>
      durable(async (client) => {
        await client.zadd(keys.tenants(), 0, record.name);
        const written = await client.set(keys.tenant(record.name), recordText(record), 'NX');
        if (written === null) return false;
        // Keys that a replica has from its environment may have been judged without the tenant.
        await client.publish(keys.invalidations(), invalidation({ kind: 'tenant', tenant: record.name }));
        return true;
      }, keys.tenant(record.name)),

    replaceKey: (stored) =>
      durable(
        (client) =>
          replace(client, keys.key(stored.tenant, stored.id), stored.tenant, stored, {
            kind: 'key',
            tenant: stored.tenant,
            key: stored.id,
            ended: endOf(stored),
          }),
        keys.key(stored.tenant, stored.id),
      ),

    replaceTenant: (record) =>
      durable(
        (client) =>
          replace(client, keys.tenant(record.name), record.name, record, {
            kind: 'tenant',
            tenant: record.name,
            ended: endOf(record),
          }),
        keys.tenant(record.name),
      ),

    expireSecrets: (digests, atMs) =>
      ask((client) => Promise.all(digests.map((digest) => client.pexpireat(keys.secret(digest), atMs)))),

    pageOfKeys: (tenant, limit, cursor) =>
      ask(async (client) => {
        const index = tenant === undefined ? keys.allKeys() : keys.keysOf(tenant);
        const rank = cursor === undefined ? -1 : await client.zrank(index, cursor);
        if (rank === null) return undefined;
        const members = await client.zrange(index, rank + 1, `${rank + 1 + limit}`);
        const pointers = members.slice(0, limit).map((member) => pointerOf(member, tenant));
        return { records: await readKeys(client, pointers), nextCursor: nextCursor(members, limit) };
      }),

    pageOfTenants: (limit, cursor) =>
      ask(async (client) => {
        const start = cursor === undefined ? '-' : `(${cursor}`;
        const names = await client.zrange(keys.tenants(), start, '+', 'BYLEX', 'LIMIT', 0, limit + 1);
        const records = await Promise.all(
          names.slice(0, limit).map(async (name) => parseTenant(await client.get(keys.tenant(name)))),
        );
        return { records: records.filter(isThere), nextCursor: nextCursor(names, limit) };
      }),

    foreignForms: () =>
      ask(async (client) => (await client.smembers(keys.foreignForms())).map((form) => JSON.parse(form))),

    addForeignForm: (form) =>
      ask(async (client) => {
        await client.sadd(keys.foreignForms(), JSON.stringify(form));
        await client.publish(keys.invalidations(), invalidation({ kind: 'forms' }));
      }),
  };

  async function replace(
    client: RedisClient,
    key: string,
    tenant: string,
    record: StoredKey | TenantRecord,
    change: Invalidation,
  ): Promise<boolean> {
    const replaced = await client.replaceRecord(
      key,
      keys.meta(tenant),
      record.revision - 1,
      recordText(record),
      keys.invalidations(),
      invalidation(change),
    );
    return replaced === 1;
  }

  /** One question per tenant, because a Cluster keeps each tenant in a slot of its own. */
  async function readKeys(client: RedisClient, pointers: readonly SecretPointer[]): Promise<StoredKey[]> {
    const byTenant = Map.groupBy(pointers, (pointer) => pointer.tenant);
    const found = new Map<string, StoredKey>();
    await Promise.all(
      [...byTenant].map(async ([tenant, group]) => {
        for (const text of await client.mget(group.map((pointer) => keys.key(tenant, pointer.key)))) {
          const stored = parseKey(text);
          if (stored) found.set(stored.id, stored);
        }
      }),
    );
    return pointers.map((pointer) => found.get(pointer.key)).filter(isThere);
  }
}

function invalidation(change: Invalidation): string {
  return JSON.stringify(change);
}

/** Where a list goes on behind this key. */
export function cursorAt({ tenant, id }: KeyRecord, ofTenant: string | undefined): string {
  return ofTenant === undefined ? `${tenant}/${id}` : id;
}

function pointerOf(member: string, tenant: string | undefined): SecretPointer {
  if (tenant !== undefined) return { tenant, key: member };
  const slash = member.indexOf('/');
  return { tenant: member.slice(0, slash), key: member.slice(slash + 1) };
}

/** `members` holds one more than the limit when there is a next page. */
function nextCursor(members: readonly string[], limit: number): string | null {
  return members.length > limit ? (members[limit - 1] ?? null) : null;
}

function parsed<T>(text: string | null | undefined): T | undefined {
  return text == null ? undefined : JSON.parse(text);
}

function isThere<T>(value: T | undefined): value is T {
  return value !== undefined;
}
