/** What operators do about webhooks. */
import { untilWritten } from '../../admission/keys/optimistic-write.ts';
import { changedMeanwhile, type Refused, refused, storeAway } from '../../admission/keys/store-refusals.ts';
import { refusal } from '../../core/errors.ts';
import type { EndpointRecord } from '../../redis/webhook-records.ts';
import type { Replay, WebhookTable } from '../../redis/webhook-table.ts';
import { lookAtReceiver, type Reach } from '../../upstream/receiver.ts';
import { type Confidential, newSecret, type SecretBox } from './secrets.ts';
import { type EndpointView, type EventView, endpointView, eventView } from './views.ts';

export interface Counts {
  readonly waiting: number;
  readonly running: number;
  readonly dead: number;
}

type Result<T> = Promise<({ readonly ok: true } & T) | Refused>;

export interface WebhookAdministration {
  /** `secret` where the endpoint is new. An address is looked up, and refused with 400 when it leads inside. */
  set(
    tenant: string,
    changes: EndpointChanges,
  ): Result<{ endpoint: EndpointView; secret: string | undefined }>;
  show(tenant: string): Result<{ endpoint: EndpointView; events: Counts }>;
  /** Both secrets sign for so long. */
  rotate(tenant: string, overlapSeconds?: number): Result<{ endpoint: EndpointView; secret: string }>;
  remove(tenant: string): Result<object>;
  /** The newest first. */
  dead(
    tenant: string | undefined,
    offset: number,
    countMax: number,
  ): Result<{ events: readonly EventView[]; isLastPage: boolean }>;
  event(id: string): Result<{ event: EventView }>;
  /** By id, 1,000 at most. */
  replay(ids: readonly string[]): Result<{ replays: readonly { id: string; outcome: Replay }[] }>;
}

export interface EndpointChanges {
  readonly url?: string | undefined;
  readonly status?: EndpointRecord['status'] | undefined;
}

interface Parts {
  readonly table: WebhookTable;
  readonly box: SecretBox;
  readonly reach: Reach;
  readonly overlapSeconds: number;
  /** Whether there is such a tenant; undefined when Redis does not answer. */
  hasTenant(name: string): Promise<boolean | undefined>;
  now(): number;
}

/** More would make each message larger, for secrets that nobody can still need. */
const SECRETS_MAX = 4;

export function webhookAdministration(parts: Parts): WebhookAdministration {
  const { table } = parts;
  return {
    set: async (tenant, changes) => {
      const objection = changes.url === undefined ? undefined : await objectionTo(changes.url, parts.reach);
      if (objection) return refused(refusal('invalid_parameter', `url ${objection}.`, { param: 'url' }));
      return await write(parts, tenant, (before) => changed(parts, before, changes));
    },
    rotate: async (tenant, overlapSeconds = parts.overlapSeconds) => {
      const written = await write(
        parts,
        tenant,
        (before) => before && rotated(parts, before, overlapSeconds),
      );
      if (!written.ok) return written;
      const { endpoint, secret = '' } = written;
      return { ok: true, endpoint, secret };
    },
    async show(tenant) {
      const [found, counted] = await Promise.all([table.findEndpoint(tenant), table.counts(tenant)]);
      if (!found.ok || !counted.ok) return storeAway();
      if (!found.value) return noEndpoint(tenant);
      const confidential = parts.box.open(tenant, found.value.sealed);
      return { ok: true, endpoint: endpointView(found.value, confidential), events: counted.value };
    },
    async remove(tenant) {
      const removed = await table.remove(tenant);
      if (!removed.ok) return storeAway();
      return removed.value ? { ok: true } : noEndpoint(tenant);
    },
    async dead(tenant, offset, countMax) {
      const found = await table.dead(tenant, offset, countMax);
      if (!found.ok) return storeAway();
      const { events, isLastPage } = found.value;
      return { ok: true, events: events.map(eventView), isLastPage };
    },
    async event(id) {
      const found = await table.findEvent(id);
      if (!found.ok) return storeAway();
      if (found.value) return { ok: true, event: eventView(found.value) };
      return refused(refusal('not_found', 'There is no such event, or it was delivered.'));
    },
    async replay(ids) {
      const replayed = await table.replay(ids);
      if (!replayed.ok) return storeAway();
      const replays = ids.map((id, at) => ({ id, outcome: replayed.value[at] ?? 'absent' }));
      return { ok: true, replays };
    },
  };
}

type Before = { readonly record: EndpointRecord; readonly confidential: Confidential } | undefined;
type After = {
  readonly status: EndpointRecord['status'];
  readonly confidential: Confidential;
  /** To be shown. */
  readonly secret?: string;
};

/** @param change undefined: there has to be an endpoint */
async function write(
  parts: Parts,
  tenant: string,
  change: (before: Before) => After | undefined,
): Result<{ endpoint: EndpointView; secret: string | undefined }> {
  const { table, box } = parts;
  const result = await untilWritten<Awaited<ReturnType<typeof write>>>(async () => {
    const [found, hasTenant] = await Promise.all([table.findEndpoint(tenant), parts.hasTenant(tenant)]);
    if (!found.ok || hasTenant === undefined) return storeAway();
    if (!hasTenant) return refused(refusal('not_found', `There is no tenant ${JSON.stringify(tenant)}.`));
    const record = found.value;
    const confidential = record && box.open(tenant, record.sealed);
    if (record && !confidential) return unreadable();
    const after = change(record && confidential && { record, confidential });
    if (!after) return noEndpoint(tenant);
    const written = {
      ...{ tenant, revision: record?.revision ?? 0, status: after.status },
      because: after.status === 'enabled' ? null : (record?.because ?? 'operator'),
      sealed: box.seal(tenant, after.confidential),
    };
    const registered = await table.register(written);
    if (!registered.ok) return storeAway();
    if (!registered.value) return undefined;
    const afresh = { failures: 0, held_until_ms: 0 };
    const now = { ...(record ?? newRecord(parts.now())), ...written, ...afresh };
    const view = endpointView(now, after.confidential);
    return { ok: true, endpoint: view, secret: after.secret };
  });
  return result ?? changedMeanwhile();
}

function changed({ now }: Parts, before: Before, { url, status }: EndpointChanges): After | undefined {
  if (before) {
    const confidential = { ...before.confidential, url: url ?? before.confidential.url };
    return { status: status ?? before.record.status, confidential };
  }
  if (url === undefined) return undefined;
  const secret = newSecret();
  const secrets = [{ secret, created_at_ms: now(), not_after_ms: null }];
  return { status: status ?? 'enabled', confidential: { url, secrets }, secret };
}

function rotated(
  { now }: Parts,
  { record, confidential }: NonNullable<Before>,
  overlapSeconds: number,
): After {
  const secret = newSecret();
  const nowMs = now();
  const endsAtMs = nowMs + overlapSeconds * 1_000;
  const older = confidential.secrets
    .map((one) => ({ ...one, not_after_ms: Math.min(one.not_after_ms ?? endsAtMs, endsAtMs) }))
    .filter(({ not_after_ms }) => not_after_ms > nowMs);
  const secrets = [{ secret, created_at_ms: nowMs, not_after_ms: null }, ...older].slice(0, SECRETS_MAX);
  return { status: record.status, confidential: { ...confidential, secrets }, secret };
}

async function objectionTo(text: string, reach: Reach): Promise<string | undefined> {
  return URL.canParse(text) ? await lookAtReceiver(new URL(text), reach) : 'must be an address';
}

function noEndpoint(tenant: string): Refused {
  return refused(refusal('not_found', `The tenant ${JSON.stringify(tenant)} has no webhook.`));
}

function unreadable(): Refused {
  const message = 'The webhook was stored under another SLUICE_SECRET. Remove it and set it again.';
  return refused(refusal('conflict', message));
}

function newRecord(nowMs: number): EndpointRecord {
  const nothing = { delivered_at_ms: null, held_until_ms: 0, failures: 0, dropped: 0 };
  const fresh = { tenant: '', status: 'enabled', because: null, revision: 0, sealed: '' } as const;
  return { ...fresh, created_at_ms: nowMs, ...nothing };
}
