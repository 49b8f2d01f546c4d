/** Compares all that Redis holds of the tenant with the model; each difference is a line of text. */
import type { Redis } from 'ioredis';
import { keys, TENANT } from './ground.ts';
import type { Account } from './reference-account.ts';
import type { ModelTicket, ReferenceModel } from './reference-model.ts';
import { type Bucket, heldAt } from './reference-parts.ts';

/** From which the scripts count the zero of a bucket. */
const BUCKET_EPOCH_MS = Date.UTC(2026, 0, 1);

export async function differencesOfState(client: Redis, model: ReferenceModel): Promise<string[]> {
  const prefix = keys.account(TENANT, '');
  const [names, tickets, leases, clock] = await Promise.all([
    client.keys(`${prefix}*`),
    client.hgetall(keys.tickets(TENANT)),
    client.zrange(keys.leases(TENANT), 0, '-1', 'WITHSCORES'),
    client.hget(keys.meta(TENANT), 'clock'),
  ]);
  const stored = await Promise.all(names.map((name) => client.hgetall(name)));
  const accounts = new Map(names.map((name, index) => [name.slice(prefix.length), stored[index] ?? {}]));
  const expected = [...model.tickets].map(([id, ticket]) => `${id} ${ticketText(ticket)}`);
  const found = Object.entries(tickets).map(([id, text]) => `${id} ${text.split(' ').slice(0, 4).join(' ')}`);
  const ends = [...model.tickets].flatMap(([id, { untilMs }]) => `${id} ${untilMs}`);
  return [
    ...differing('clock', [String(model.clockMs)], [clock ?? '0']),
    ...differing('ticket', expected, found),
    ...differing('lease', ends, pairsOf(leases)),
    ...[...model.accounts].flatMap(([scope, account]) =>
      differencesOfAccount(scope, account, accounts.get(scope) ?? {}, model),
    ),
    ...[...accounts.keys()].filter((scope) => !model.accounts.has(scope)).map((scope) => `account ${scope}`),
    ...slotsAmiss(tickets, accounts),
  ];
}

/** @param names of sums, as the model has them */
export async function differencesOfBooks(
  client: Redis,
  model: ReferenceModel,
  names: readonly string[],
): Promise<string[]> {
  const found = await Promise.all(
    names.map((name) => {
      const [span = '', key = '', ...rest] = name.split(':');
      return client.hgetall(keys.usage(TENANT, span, key, rest.join(':')));
    }),
  );
  return names.flatMap((name, index) => {
    const lines = [...(model.books.get(name) ?? [])].map(([field, sum]) => `${field} ${sum}`);
    const stored = Object.entries(found[index] ?? {}).map(([field, sum]) => `${field} ${sum}`);
    const isSum = (line: string) => !line.endsWith(' 0');
    return differing(`book ${name}`, lines.filter(isSum), stored.filter(isSum));
  });
}

function differencesOfAccount(
  scope: string,
  account: Account,
  stored: Readonly<Record<string, string>>,
  model: ReferenceModel,
): string[] {
  const quotas = [...account.quotas].map(
    ([kind, { period, used }]) => `${kind}: ${[period, ...used].join(' ')}`,
  );
  const storedQuotas = Object.entries(stored).flatMap(([field, text]) =>
    /^\d$/.test(field) ? [`${field}: ${text}`] : [],
  );
  return [
    ...differing(`slots of ${scope}`, [String(account.slots)], [stored.n ?? '0']),
    ...differing(`quota of ${scope}`, quotas, storedQuotas),
    ...bucketAmiss(`requests of ${scope}`, account.requests, stored.r, stored.R, model.now()),
    ...bucketAmiss(`tokens of ${scope}`, account.tokens, stored.t, stored.T, model.now()),
  ];
}

function bucketAmiss(
  what: string,
  bucket: Bucket | undefined,
  zero: string | undefined,
  pace: string | undefined,
  now: number,
): string[] {
  const expected = bucket ? [`${bucket.perMinute} ${bucket.burst}`] : [];
  const paces = differing(`pace of ${what}`, expected, pace === undefined ? [] : [pace]);
  if (!bucket || paces.length > 0) return paces;
  const held = Math.min(bucket.burst, ((now - BUCKET_EPOCH_MS - Number(zero)) / 60_000) * bucket.perMinute);
  const isSame = Math.abs(held - heldAt(bucket, now)) < Math.max(0.01, bucket.perMinute / 600_000);
  return isSame ? [] : [`${what}: ${heldAt(bucket, now)} in the model, ${held} in Redis`];
}

/** Slots taken are those of open tickets, whatever the model says. */
function slotsAmiss(
  tickets: Readonly<Record<string, string>>,
  accounts: ReadonlyMap<string, Readonly<Record<string, string>>>,
): string[] {
  const taken = new Map<string, number>();
  for (const text of Object.values(tickets)) {
    const [state, key, model, , ...masks] = text.split(' ');
    if (state !== 'o' && state !== 'b') continue;
    const scopes = ['tenant', `key:${key}`, `model:${model}`, `key:${key}:model:${model}`];
    for (const [index, scope] of scopes.entries()) {
      if (Number(masks[index]) % 2 === 1) taken.set(scope, (taken.get(scope) ?? 0) + 1);
    }
  }
  return [...accounts].flatMap(([scope, { n = '0' }]) => {
    const open = taken.get(scope) ?? 0;
    return Number(n) === open ? [] : [`${scope} has ${n} slots taken, and ${open} tickets with one`];
  });
}

function ticketText({ state, hasRun, isBookedLost, keyId, model, atMs }: ModelTicket): string {
  if (state === 'closed') return 'c';
  const letter = state === 'expired' ? 'x' : isBookedLost ? 'b' : hasRun ? 'o' : 'r';
  return `${letter} ${keyId} ${model} ${atMs}`;
}

function pairsOf(list: readonly (string | Buffer | readonly unknown[])[]): string[] {
  const flat = list.flat().map(String);
  return flat.flatMap((id, index) => (index % 2 === 0 ? [`${id} ${Number(flat[index + 1])}`] : []));
}

function differing(what: string, expected: readonly string[], found: readonly string[]): string[] {
  const [inModel, inRedis] = [new Set(expected), new Set(found)];
  return [
    ...expected.filter((line) => !inRedis.has(line)).map((line) => `${what}: ${line} in the model alone`),
    ...found.filter((line) => !inModel.has(line)).map((line) => `${what}: ${line} in Redis alone`),
  ];
}
