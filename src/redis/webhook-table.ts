/** Webhooks, as the scripts under scripts/webhooks take them. What the codes mean stands on top of each. */
import type { Answer, RedisConnection } from './connection.ts';
import {
  type EndpointRecord,
  type EventRecord,
  readEndpoint,
  readEvent,
  type TryEnd,
} from './webhook-records.ts';

export interface Try {
  readonly event: string;
  readonly number: number;
}

export type Replay = 'absent' | 'replayed' | 'running' | 'no_endpoint';

export interface WebhookTable {
  findEndpoint(tenant: string): Answered<EndpointRecord | undefined>;
  /** Written durably, over `revision`; false: somebody else has written meanwhile. */
  register(
    endpoint: Pick<EndpointRecord, 'tenant' | 'revision' | 'status' | 'because' | 'sealed'>,
  ): Answered<boolean>;
  /** With the events that wait for it. @returns whether there was one */
  remove(tenant: string): Answered<boolean>;
  counts(
    tenant: string,
  ): Answered<{ readonly waiting: number; readonly running: number; readonly dead: number }>;
  findEvent(id: string): Answered<EventRecord | undefined>;
  /** Hands out events whose time has come; each is a worker's from then on, for two minutes at most. */
  pick(countMax: number): Answered<readonly Try[]>;
  /** @returns false: the try is not the newest, or the event is gone; nothing was done */
  end(tried: Try, end: TryEnd): Answered<boolean>;
  /** @param ids at most 1,000 */
  replay(ids: readonly string[]): Answered<readonly Replay[]>;
  /** The newest first. @param tenant undefined: of all */
  dead(
    tenant: string | undefined,
    offset: number,
    countMax: number,
  ): Answered<{ readonly events: readonly EventRecord[]; readonly isLastPage: boolean }>;
  /** `overdueMs`: for how long an endpoint has waited for a worker to look at it, by this machine's clock. */
  survey(nowMs: number): Answered<{ readonly dead: number; readonly overdueMs: number }>;
}

type Answered<T> = Promise<Answer<T>>;

const replays = ['absent', 'replayed', 'running', 'no_endpoint'] as const;

/** @param places how many deliveries an endpoint has at once, of all workers together */
export function webhookTable(
  { ask, durable, keys }: Pick<RedisConnection, 'ask' | 'durable' | 'keys'>,
  places: number,
): WebhookTable {
  const root = keys.jobRoot();
  return {
    findEndpoint: (tenant) =>
      ask(async (client) => readEndpoint(tenant, await client.hgetall(keys.webhook(tenant))), 'jobs'),

    register: ({ tenant, revision, status, because, sealed }) =>
      durable(async (client) => {
        const fields = [tenant, revision, places, status, because ?? '', sealed];
        return (await client.registerEndpoint(root, ...fields)) === 1;
      }, keys.webhook(tenant)),

    remove: (tenant) =>
      durable(async (client) => (await client.removeEndpoint(root, tenant)) === 1, keys.webhook(tenant)),

    counts: (tenant) =>
      ask(async (client) => {
        const [waiting, running, dead] = await Promise.all([
          client.zcard(keys.outbox(tenant)),
          client.zcard(keys.outboxHanded(tenant)),
          client.zcard(keys.outboxDead(tenant)),
        ]);
        return { waiting, running, dead };
      }, 'jobs'),

    findEvent: (id) => ask(async (client) => readEvent(id, await client.hgetall(keys.event(id))), 'jobs'),

    pick: (countMax) =>
      ask(async (client) => {
        const flat = await client.pickEvents(root, countMax, places);
        return flat.flatMap((id, at) =>
          at % 2 === 0 ? [{ event: String(id), number: Number(flat[at + 1]) }] : [],
        );
      }, 'jobs'),

    end: ({ event, number }, end) =>
      ask(async (client) => {
        const failure = 'cause' in end ? [end.status ?? '', end.cause] : ['', ''];
        const pause = end.outcome === 'retry' ? [Math.round(end.pauseMs), end.holds ? 1 : 0] : [0, 0];
        return (await client.endTry(root, event, number, places, end.outcome, ...pause, ...failure)) === 1;
      }, 'jobs'),

    replay: (ids) =>
      ask(async (client) => {
        if (ids.length === 0) return [];
        const codes = await client.replayEvents(root, places, ...ids);
        return codes.map((code) => replays[code] ?? 'absent');
      }, 'jobs'),

    dead: (tenant, offset, countMax) =>
      ask(async (client) => {
        const last = String(offset + countMax - 1);
        const ids = await client.zrange(keys.outboxDead(tenant), offset, last, 'REV');
        const events = await Promise.all(
          ids.map(async (id) => readEvent(String(id), await client.hgetall(keys.event(String(id))))),
        );
        return { events: events.filter((event) => event !== undefined), isLastPage: ids.length < countMax };
      }, 'jobs'),

    survey: (nowMs) =>
      ask(async (client) => {
        const [dead, first] = await Promise.all([
          client.zcard(keys.outboxDead()),
          client.zrange(keys.outboxReady(), 0, '0', 'WITHSCORES'),
        ]);
        const dueAtMs = Number(first.flat()[1] ?? nowMs);
        return { dead, overdueMs: Math.max(0, nowMs - dueAtMs) };
      }, 'jobs'),
  };
}
