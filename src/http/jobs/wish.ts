/** Shall a request become a job, and how does its caller want to be answered? */
import { type Refusal, refusal } from '../../core/errors.ts';
import type { JobWay } from '../../core/job.ts';
import type { JobTerms, JobWayWanted } from '../../core/principal.ts';
import { preferences } from './prefer.ts';

export interface JobWish {
  readonly way: JobWay;
  /** How long a held caller waits before he gets 202; undefined: until his stream comes. */
  readonly waitMs: number | undefined;
  /** What of `Prefer` is heeded. */
  readonly applied: string | undefined;
}

/** Undefined: the caller says nothing of it. */
export function wishOfCaller(prefer: string | string[] | undefined): JobWish | undefined {
  const { respondAsync, waitSeconds = 0 } = preferences(prefer);
  if (waitSeconds > 0) {
    const applied = respondAsync ? `respond-async, wait=${waitSeconds}` : `wait=${waitSeconds}`;
    return { way: 'held', waitMs: waitSeconds * 1_000, applied };
  }
  return respondAsync ? { way: 'async', waitMs: undefined, applied: 'respond-async' } : undefined;
}

/** What the tenant wants for those who say nothing. Undefined: it is to be refused. */
export function wishOfTenant(
  way: JobWayWanted,
  { hold_seconds }: JobTerms,
  streamed: boolean,
): JobWish | undefined {
  if (way === 'reject') return undefined;
  if (way === 'async') return { way, waitMs: undefined, applied: undefined };
  return { way: 'held', waitMs: streamed ? undefined : hold_seconds * 1_000, applied: undefined };
}

/** @param why as `oversizeOf` says it */
export function oversized(why: string): Refusal {
  const remedy = "Shorten it, or send it with the header 'Prefer: respond-async' to have it run as a job.";
  return refusal('request_oversized', `The request has ${why} to be answered at once. ${remedy}`);
}

const URGENCY = /(?:^|,)\s*u=([0-7])\s*(?:$|[,;])/;
const URGENCY_USUAL = 3;

/** By RFC 9218, `Priority: u=0` (most urgent) … `u=7`: as a priority among the jobs of the tenant, 9 … 2. */
export function priorityOf(header: string | string[] | undefined): number {
  const urgency = typeof header === 'string' ? URGENCY.exec(header)?.[1] : undefined;
  return 9 - Number(urgency ?? URGENCY_USUAL);
}
