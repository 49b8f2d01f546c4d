/** What has come since an earlier round, over all processes that both rounds have heard. */
import type { Reading, Round } from './processes.ts';
import type { Sample } from './samples.ts';

export interface Pair {
  readonly now: Reading;
  readonly before: Reading;
}

/** A process that began anew meanwhile, or another one behind the same address, has no part in it. */
export function pairsOf(now: Round, before: Round | undefined): Pair[] {
  return now.readings.flatMap((reading) => {
    const earlier = before?.readings.find(({ url }) => url === reading.url);
    return earlier && startOf(earlier) === startOf(reading) ? [{ now: reading, before: earlier }] : [];
  });
}

function startOf({ samples }: Reading): number | undefined {
  return samples.value('process_start_time_seconds');
}

/**
 * A second, summed by group.
 * @param groupOf undefined: the sample does not count
 */
export function rates(
  pairs: readonly Pair[],
  name: string,
  groupOf: (labels: Sample['labels']) => string | undefined,
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const pair of pairs) {
    const seconds = (pair.now.askedAtMs - pair.before.askedAtMs) / 1_000;
    if (seconds <= 0) continue;
    for (const [group, increase] of increases(pair, name, groupOf)) {
      sums.set(group, (sums.get(group) ?? 0) + Math.max(0, increase) / seconds);
    }
  }
  return sums;
}

/** Subtracted before it is divided, so that nothing comes to exactly 0. */
function increases(
  { now, before }: Pair,
  name: string,
  groupOf: (labels: Sample['labels']) => string | undefined,
): Map<string, number> {
  const sums = new Map<string, number>();
  const add = (sample: Sample, sign: 1 | -1) => {
    const group = groupOf(sample.labels);
    if (group !== undefined) sums.set(group, (sums.get(group) ?? 0) + sign * sample.value);
  };
  for (const sample of now.samples.of(name)) add(sample, 1);
  for (const sample of before.samples.of(name)) add(sample, -1);
  return sums;
}

/** NaN: nobody can say yet. */
export function rate(
  pairs: readonly Pair[],
  name: string,
  counts: (labels: Sample['labels']) => boolean = () => true,
): number {
  if (pairs.length === 0) return Number.NaN;
  return rates(pairs, name, (labels) => (counts(labels) ? 'all' : undefined)).get('all') ?? 0;
}

/**
 * Of what came meanwhile, by the buckets of a histogram: linear within a bucket, as Prometheus has it.
 * @returns NaN: nothing came
 */
export function quantiles(pairs: readonly Pair[], name: string, wanted: readonly number[]): number[] {
  const buckets = [...rates(pairs, `${name}_bucket`, ({ le }) => le)]
    .map(([le, count]) => ({ upTo: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), count }))
    .sort((one, other) => one.upTo - other.upTo);
  const total = buckets.at(-1)?.count ?? 0;
  return wanted.map((share) => (total > 0 ? quantileOf(buckets, share * total) : Number.NaN));
}

function quantileOf(buckets: readonly { upTo: number; count: number }[], rank: number): number {
  const index = buckets.findIndex(({ count }) => count >= rank);
  const { upTo: begin, count: below } = buckets[index - 1] ?? { upTo: 0, count: 0 };
  const { upTo: end, count } = buckets[index] ?? { upTo: begin, count: below };
  // Behind the last bound nobody knows.
  if (!Number.isFinite(end) || count === below) return begin;
  return begin + ((end - begin) * (rank - below)) / (count - below);
}
