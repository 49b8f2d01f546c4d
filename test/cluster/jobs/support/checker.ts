/** Judges of a run of jobs. Pure: each takes what was recorded and says what is wrong with it. */
import { isOver, type JobStatus } from '../../../../src/core/job.ts';
import type { KeptLine } from '../../support/books.ts';
import type { GpuCall, JobHistory, Post, Reading } from './history.ts';

/**
 * What was promised has ended once, with an answer that stays the same, made by one of its attempts, and is charged
 * once; what was refused has neither run nor cost anything.
 * @param lines of the tenant's books, all of them
 */
export function jobFaults({ posts, readings, calls }: JobHistory, lines: readonly KeptLine[]): string[] {
  const readingsOf = Map.groupBy(readings, ({ job }) => job);
  const callsOf = Map.groupBy(calls, ({ request }) => request);
  const linesOf = Map.groupBy(lines, ({ request_id }) => request_id);
  const faults: string[] = [];
  const makers = new Map<string, string>();
  for (const post of posts) {
    const { request, job } = post;
    const own = { calls: callsOf.get(request) ?? [], lines: linesOf.get(request) ?? [] };
    callsOf.delete(request);
    linesOf.delete(request);
    if (job === undefined) {
      faults.push(...faultsOfRefused(post, own.calls, own.lines));
      continue;
    }
    const maker = makers.get(job);
    if (maker !== undefined) faults.push(`${request} and ${maker} were promised the same ${job}`);
    makers.set(job, request);
    faults.push(...faultsOfJob(request, readingsOf.get(job) ?? [], own.calls, own.lines));
  }
  for (const request of callsOf.keys()) faults.push(`${request} has run and was never sent`);
  for (const request of linesOf.keys()) faults.push(`${request} is in the books and was never sent`);
  return faults;
}

function faultsOfJob(
  request: string,
  readings: readonly Reading[],
  calls: readonly GpuCall[],
  lines: readonly KeptLine[],
): string[] {
  const last = readings.at(-1);
  if (!last) return [`${request} was never asked for`];
  if (readings.some(({ status }) => status === 'absent')) return [`${request} is lost`];
  const ends = readings.filter(({ status }) => isOver(status as JobStatus));
  if (!ends.includes(last)) return [`${request} has not ended: it is ${last.status}`];
  const faults: string[] = [];
  const statuses = distinct(ends.map(({ status }) => status));
  if (statuses.length > 1) faults.push(`${request} has ended as ${statuses.join(' and as ')}`);
  const digests = distinct(ends.map(({ digest }) => digest).filter((digest) => digest !== undefined));
  if (digests.length > 1) faults.push(`the answer of ${request} has changed`);
  if (calls.length > last.attempts) {
    faults.push(`${request} has run ${calls.length} times in ${last.attempts} attempts`);
  }
  if (last.status === 'completed') {
    if (digests.length === 0) faults.push(`${request} has no answer`);
    if (calls.length === 0) faults.push(`${request} is completed, and nobody has run it`);
  }
  return [...faults, ...faultsOfCharge(request, last, lines)];
}

function faultsOfCharge(request: string, { status, usage }: Reading, lines: readonly KeptLine[]): string[] {
  const isCharged = status === 'completed';
  if (lines.length > 1 || (isCharged && lines.length === 0)) {
    return [`${request} is ${status} and was charged ${lines.length} times`];
  }
  const [line] = lines;
  if (!isCharged || !line) return [];
  const told = `${usage?.input} and ${usage?.output}`;
  const charged = `${line.input_tokens} and ${line.output_tokens}`;
  return told === charged ? [] : [`${request} was told ${told} tokens and charged ${charged}`];
}

/** Without any answer nobody knows whether it was taken in; then it may have run, and is charged once at most. */
function faultsOfRefused(
  { request, status }: Post,
  calls: readonly GpuCall[],
  lines: readonly KeptLine[],
): string[] {
  if (status === 0) return lines.length > 1 ? [`${request} was charged ${lines.length} times`] : [];
  return [
    ...(calls.length > 0 ? [`${request} was refused with ${status} and has run`] : []),
    ...(lines.length > 0 ? [`${request} was refused with ${status} and is charged`] : []),
  ];
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
