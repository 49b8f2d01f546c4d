/**
 * Where a waiting job stands among all, and when it will be done: estimates.
 *
 * Redis knows exactly how many jobs of the same tenant go before one. What others have before it follows from virtual
 * time (jobs/order.md): the tenant's next job begins at its tag, and one with so much span before it begins that much
 * later, at a virtual time X. Until then a tenant that stands at Y < X gets served (X - Y) times its weight, or all
 * that it has waiting if that is less.
 *
 * The workers drain so many tokens a second in all. So a job begins when what is before it has been drained; and each of
 * those in hand gets its part of that rate, by which it takes its own time.
 *
 * Approximate are: all jobs of a tenant count with their mean; nobody comes, leaves or is parked meanwhile; a tenant
 * that is parked comes back in time; the rate stays as it is.
 */

export interface WaitingTenant {
  /** Virtual time at which its next job begins. */
  readonly startsAt: number;
  /** 0: it is not. */
  readonly parkedUntilMs: number;
  readonly jobs: number;
  /** Of all its waiting jobs, in tokens. */
  readonly cost: number;
  /** The same over its weight. */
  readonly span: number;
}

export interface LineSurvey {
  /** Redis' clock. */
  readonly nowMs: number;
  readonly waiting: number;
  readonly oldestAtMs: number | undefined;
  readonly handed: number;
  readonly handedCost: number;
  readonly virtualTime: number;
  /** Cost of what has ended, each with its share of e^(-age / `METER_MS`); `drainedForMs` since the first. */
  readonly drainedCost: number;
  readonly drainedForMs: number;
  readonly tenants: ReadonlyMap<string, WaitingTenant>;
}

export interface Standing {
  /** 1: the next. */
  readonly position: number;
  /** Until it is done; undefined while nobody knows how fast the line moves. */
  readonly etaMs: number | undefined;
}

/** As in scripts/jobs/queue.lua. */
const METER_MS = 60_000;

/** Tokens per second that the line has drained lately, while it was busy; undefined before anything has ended. */
export function drainRate({ drainedCost, drainedForMs }: LineSurvey): number | undefined {
  // The sum of a meter that is as old as that, at a steady rate of 1 per ms.
  const weightMs = METER_MS * (1 - Math.exp(-drainedForMs / METER_MS));
  return drainedCost > 0 && weightMs > 0 ? (drainedCost / weightMs) * 1_000 : undefined;
}

/** @param rank jobs of the same tenant before it; undefined when the survey does not know the tenant */
export function standingOf(survey: LineSurvey, tenant: string, rank: number): Standing | undefined {
  const own = survey.tenants.get(tenant);
  if (!own) return undefined;
  const begins = own.startsAt + (rank * own.span) / own.jobs;
  let jobs = rank;
  const ownCost = own.cost / own.jobs;
  let cost = rank * ownCost + Math.max(1, survey.handed) * ownCost;
  for (const [name, other] of survey.tenants) {
    if (name === tenant || other.startsAt > begins) continue;
    // Its job that begins at the same moment is as likely before as behind.
    const spanOfOne = other.span / other.jobs;
    const served = Math.min(other.jobs, (begins - other.startsAt) / spanOfOne + 0.5);
    jobs += served;
    cost += (served * other.cost) / other.jobs;
  }
  const rate = drainRate(survey);
  const parkedMs = Math.max(0, own.parkedUntilMs - survey.nowMs);
  return {
    position: Math.round(jobs) + 1,
    etaMs: rate === undefined ? undefined : Math.max(parkedMs, Math.round((cost / rate) * 1_000)),
  };
}
