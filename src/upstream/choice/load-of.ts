/**
 * How full a server is, from three sources that overlap and are not equally old.
 *
 * `inFlight` is exact and of this moment, but this replica's alone. `othersInFlight` is what the other replicas said,
 * up to seconds ago. A report is what the server itself said, seconds ago too; it counts everyone's calls, ours and
 * those of callers who go round the gateway. To add all three would count a call three times; to take the greater of
 * (ours + others') and the report would hide what we have done since: ten more calls would not move the figure, and
 * everything would go to the server that looked empty.
 *
 * So the old figures only say how much is there *besides* our own calls, and our own are always counted as of now:
 *
 *     load = in flight here + ¼ × (max(others' in flight, reported then − in flight here then) + waiting then)
 *
 * Why a quarter. At full weight old figures outvote the exact ones, and replicas that share them make the same
 * mistake together: with 4 replicas, 6 servers, calls of 1.5 s and figures renewed each second the fullest server,
 * where 15 are fair, has 25 (p99; one random draw: 28), and 22 with a quarter (`stale-reports.test.ts`). From 2 to 8
 * replicas and from calls of half a second to ten, a quarter was as good as the better of all and nothing, or nearly.
 * Replicas do alike, so what is exact here says much about the others too; the old part is left to tell what it
 * cannot: callers who go round the gateway, and a balancer that shares unevenly. Loads are therefore for comparing
 * servers with each other, not for a limit on calls in flight.
 *
 * Calls that wait inside the server are counted twice on purpose. Counts alone do not tell a server that batches 200
 * with ease from one whose cache is full at 20; that calls wait at all does.
 *
 * A report stands for five seconds and then loses weight until it is forgotten at ten: a server whose metrics have
 * gone silent is judged by the calls in flight again, without a step at which everything would move to it. Whether
 * it is ill is for the probes to say.
 */

/** What a server said of itself. */
export interface LoadReport {
  /** Calls that it works on, for anyone. */
  readonly running: number;
  /** Calls that it has taken and not begun. */
  readonly waiting: number;
  /** This replica's calls in flight there when the report was read. */
  readonly ownInFlight: number;
  /** On the clock that `loadOf` is asked with. */
  readonly readAtMs: number;
}

export interface LoadFigures {
  /** Calls of this replica. */
  readonly inFlight: number;
  /** Calls of all other replicas, as they last said. */
  readonly othersInFlight: number;
  /** Undefined: it has said nothing, or has no metrics. */
  readonly reported: LoadReport | undefined;
}

const STALE_WEIGHT = 0.25;
const FADES_FROM_MS = 5_000;
const FORGOTTEN_AT_MS = 10_000;

/** 0 or more; a call of this replica is 1. */
export function loadOf({ inFlight, othersInFlight, reported }: LoadFigures, nowMs: number): number {
  const trust = reported ? trustAtAge(nowMs - reported.readAtMs) : 0;
  if (!reported || trust === 0) return inFlight + STALE_WEIGHT * othersInFlight;
  const besidesOurs = reported.running + reported.waiting - reported.ownInFlight;
  return inFlight + STALE_WEIGHT * (Math.max(othersInFlight, trust * besidesOurs) + trust * reported.waiting);
}

/** Undefined: it has said nothing, or so long ago that it does not count any more. */
export function remembered(report: LoadReport | undefined, nowMs: number): LoadReport | undefined {
  return report && trustAtAge(nowMs - report.readAtMs) > 0 ? report : undefined;
}

function trustAtAge(ageMs: number): number {
  if (ageMs <= FADES_FROM_MS) return 1;
  return Math.max(0, (FORGOTTEN_AT_MS - ageMs) / (FORGOTTEN_AT_MS - FADES_FROM_MS));
}
