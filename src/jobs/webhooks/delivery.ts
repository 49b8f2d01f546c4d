/** One try to bring an event to its receiver, and what follows from the answer. */
import type { EndpointRecord, EventRecord, TryEnd } from '../../redis/webhook-records.ts';
import { type Reach, type Reception, send } from '../../upstream/receiver.ts';
import { type SecretBox, signatures } from './secrets.ts';

export interface Sender {
  readonly box: SecretBox;
  readonly reach: Reach;
  readonly timeoutMs: number;
  /** Behind failed tries; behind the last one there is none. */
  readonly pausesMs: readonly number[];
  /** Wall clock. */
  now(): number;
  /** 0 ≤ x < 1. */
  random(): number;
}

const JITTER = 0.2;

export async function deliver(
  { box, reach, timeoutMs, now }: Sender,
  endpoint: EndpointRecord,
  event: EventRecord,
  signal: AbortSignal,
): Promise<Reception | 'unreadable'> {
  const confidential = box.open(endpoint.tenant, endpoint.sealed);
  if (!confidential || !URL.canParse(confidential.url)) return 'unreadable';
  const nowMs = now();
  const timestamp = Math.floor(nowMs / 1_000);
  const body = bodyOf(event);
  const headers = {
    'content-type': 'application/json',
    'webhook-id': event.id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures(confidential, { id: event.id, timestamp, body }, nowMs),
  };
  return await send(new URL(confidential.url), { headers, body, timeoutMs, signal }, reach);
}

/** The same bytes at each try. */
function bodyOf({ id, type, created_at_ms, job }: EventRecord): string {
  const created_at = Math.floor(created_at_ms / 1_000);
  return JSON.stringify({ id, object: 'event', created_at, type, data: { id: job } });
}

/** @param tries of this event so far that count, this one included */
export function judge(
  { pausesMs, random }: Pick<Sender, 'pausesMs' | 'random'>,
  reception: Reception | 'unreadable',
  tries: number,
): TryEnd {
  if (reception === 'unreadable') return failed({ status: undefined, cause: 'secret_changed' });
  if (!reception.ok) return failed({ status: undefined, cause: reception.cause });
  const { status, retryAfterMs } = reception;
  if (status >= 200 && status < 300) return { outcome: 'delivered' };
  if (status === 410) return { outcome: 'gone', status, cause: 'status' };
  return failed({ status, cause: 'status' }, retryAfterMs);

  function failed(failure: { status: number | undefined; cause: string }, askedMs?: number): TryEnd {
    const pauseMs = pausesMs[tries - 1];
    if (pauseMs === undefined) return { outcome: 'dead', ...failure };
    const ownMs = Math.round(pauseMs * (1 - JITTER + 2 * JITTER * random()));
    const holds = askedMs !== undefined;
    return { outcome: 'retry', pauseMs: Math.max(ownMs, askedMs ?? 0), holds, ...failure };
  }
}
