/**
 * What a backup holds of each kind of key, and in which order they are read. A key is read in one step, but between two
 * keys time passes, in which calls end and jobs are accepted. So what leads to something is read before it, and lists
 * of things behind them: then a copy may hold more than its lists say, or a list too much, which all readers bear, and
 * never a record without what it was written after.
 *
 * What can be made anew from the records is left out: the order of waiting jobs above all, which a copy of many keys
 * could not catch in one state. `scripts/backup/` makes it when a copy is put back.
 */

/** On which of the two servers it lies. */
export type Place = 'limits' | 'queue';

export const PASSES = [0, 1, 2] as const;
export type Pass = (typeof PASSES)[number];

export interface Kind {
  readonly place: Place;
  /** Such as `key`, or `account`: what stands in front of the name of the single thing. */
  readonly name: string;
  /** Undefined: not in a backup. */
  readonly pass: Pass | undefined;
  /** Large values, which are read piece by piece however few they are. */
  readonly isBody: boolean;
  /** Made by processes that merely run: it does not speak for data that somebody would miss. */
  readonly isIdle: boolean;
}

const JOBS_TAG = '_jobs';
const leftOut = undefined;

const cluster: Readonly<Record<string, Pass | undefined>> = {
  ...{
    secret: 0,
    owner: 0,
    email: 0,
    installation: 0,
    learned: 1,
    drains: 1,
    keys: 2,
    tenants: 2,
    forms: 2,
    active: 2,
    admins: 1,
    'admin-uses': 1,
    audit: 2,
  },
  ...{ sweeping: leftOut, replicas: leftOut, loads: leftOut },
};

/** Tickets behind the books: a call that has been booked is then not open as well. */
const ofTenant: Readonly<Record<string, Pass | undefined>> = {
  ...{ key: 1, tenant: 1, meta: 1, account: 1, usage: 1, calls: 1, settled: 1, once: 1 },
  ...{ keys: 2, 'key-uses': 2, 'usage-index': 2, tickets: 2, leases: 2, onces: 2, 'once-sizes': 2 },
  // Whoever replays a request does so within minutes, not after a restore.
  ...{ nonce: leftOut },
  // The response cache may lose any answer at any time.
  ...{ answer: leftOut, answers: leftOut, 'answer-sizes': leftOut },
};

/** Payloads behind the records, which are written after them; events behind the jobs whose end they tell. */
const ofQueue: Readonly<Record<string, Pass | undefined>> = {
  ...{ unrun: 0, job: 1, webhook: 1, drained: 1, held: 1 },
  ...{ payload: 2, result: 2, pieces: 2, once: 2, event: 2, outbox: 2 },
  ...{ bull: leftOut, of: leftOut, meta: leftOut, tenants: leftOut, lines: leftOut, line: leftOut },
  ...{ queued: leftOut, handed: leftOut, waiting: leftOut, ready: leftOut, away: leftOut, parked: leftOut },
  ...{ flows: leftOut, due: leftOut, sweeping: leftOut },
  ...{ 'outbox-handed': leftOut, 'outbox-ready': leftOut, 'outbox-dead': leftOut },
};

const bodies = new Set(['payload', 'result', 'pieces']);
const idle = new Set(['installation', 'learned', 'active']);

/** @param name of the key, behind `{prefix}:1:`. What a newer release has is read with the records. */
export function kindOf(name: string): Kind {
  const [, tag, rest = name] = /^\{([^}]*)\}:(.*)$/s.exec(name) ?? [];
  const kind = rest.slice(0, (rest.indexOf(':') + 1 || rest.length + 1) - 1);
  const isQueue = tag === JOBS_TAG;
  const passes = tag === undefined ? cluster : isQueue ? ofQueue : ofTenant;
  const pass = Object.hasOwn(passes, kind) ? passes[kind] : 1;
  return {
    place: isQueue ? 'queue' : 'limits',
    name: kind,
    pass,
    isBody: isQueue && bodies.has(kind),
    isIdle: pass === undefined || (tag === undefined && idle.has(kind)),
  };
}

/** The tenant of a key that carries one; undefined for all others, and for those of the queue. */
export function tenantOf(name: string): string | undefined {
  const tag = /^\{([^}]*)\}:/.exec(name)?.[1];
  return tag === JOBS_TAG ? undefined : tag;
}
