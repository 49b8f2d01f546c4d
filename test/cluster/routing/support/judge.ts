/** What must hold of a history: what the callers saw, against the logs of the replicas and what the servers have had. */
import type { Call } from '../../outage/support/load.ts';

/** Calls that failed, as a share of all. */
export function failedShare(calls: readonly Call[]): number {
  return calls.filter(({ status }) => status !== 200).length / Math.max(1, calls.length);
}

/** Calls answered well in a span of time, each second. */
export function goodputPerSecond(calls: readonly Call[], fromMs: number, toMs: number): number {
  const endedIn = ({ status, sentAtMs, tookMs }: Call) =>
    status === 200 && sentAtMs + tookMs >= fromMs && sentAtMs + tookMs < toMs;
  return (1_000 * calls.filter(endedIn).length) / (toMs - fromMs);
}

/** Of their times, in milliseconds; 0 where there are none. */
export function percentileMs(calls: readonly Call[], share: number): number {
  const sorted = calls.map(({ tookMs }) => tookMs).sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** When the last call was sent that was not answered well, or took longer than this; counted from `fromMs`. */
export function badForMs(calls: readonly Call[], fromMs: number, slowMs: number): number {
  const bad = calls.filter(
    ({ sentAtMs, status, tookMs }) => sentAtMs >= fromMs && (status !== 200 || tookMs > slowMs),
  );
  return bad.reduce((last, { sentAtMs }) => Math.max(last, sentAtMs - fromMs), 0);
}

export interface LoggedCall {
  readonly request_id?: unknown;
  readonly status?: unknown;
  readonly upstream?: unknown;
  readonly attempts?: unknown;
  readonly tried?: unknown;
}

/** Of a call, as its log line tells them: `[server, what it did]`. */
export function attemptsOf({ upstream, attempts, tried, status }: LoggedCall): readonly [string, string][] {
  if (attempts === undefined) return upstream === undefined ? [] : [[String(upstream), String(status)]];
  return String(tried)
    .split(', ')
    .map((one) => {
      const [server = '', what = ''] = one.split(' ');
      return [server, what];
    });
}

/** Each call stands in one log line, which tells of its attempts what can be true. */
export function logFaults(calls: readonly Call[], lines: readonly LoggedCall[]): string[] {
  const byId = Map.groupBy(lines, ({ request_id }) => request_id);
  return calls.flatMap(({ id, status }) => {
    const [line, ...others] = byId.get(id) ?? [];
    if (!line || others.length > 0) return [`${id} has ${byId.get(id)?.length ?? 0} log lines`];
    if (status !== 0 && line.status !== status) return [`${id}: ${status}, by the log ${line.status}`];
    return attemptFaults(line).map((fault) => `${id}: ${fault} (${line.tried})`);
  });
}

function attemptFaults(line: LoggedCall): string[] {
  const attempts = attemptsOf(line);
  const faults: string[] = [];
  if (line.attempts !== undefined && attempts.length !== line.attempts) faults.push('not all are told of');
  for (const [index, [server, what]] of attempts.entries()) {
    const earlier = attempts.findIndex(([name]) => name === server);
    const isSentAnew = earlier === index - 1 && attempts[earlier]?.[1] === 'reset';
    if (earlier < index && !isSentAnew) faults.push(`${server} twice`);
    const isLast = index === attempts.length - 1;
    if (what === '200' && !isLast) faults.push(`on from ${server}, which had answered`);
    if (isLast && line.status === 200 && what !== '200') faults.push(`answered by nobody`);
  }
  return faults;
}

/** It may have had them, or not: the connection was lost, or it was frozen. */
const UNCERTAIN = new Set(['reset', 'frozen', 'given_up']);

/**
 * What the replicas say that they have sent to a server is what it has had.
 * @param started calls that have reached it
 */
export function sentFaults(lines: readonly LoggedCall[], server: string, started: number): string[] {
  const told = lines.flatMap(attemptsOf).filter(([name, what]) => name === server && what !== 'connect');
  const certain = told.filter(([, what]) => !UNCERTAIN.has(what)).length;
  if (started >= certain && started <= told.length) return [];
  return [`${server} has had ${started} calls, by the logs ${certain} to ${told.length}`];
}

/** All attempts of these, together. */
export function attemptCount(lines: readonly LoggedCall[]): number {
  return lines.reduce((sum, line) => sum + attemptsOf(line).length, 0);
}

/** `gpu-1 frozen: 12, gpu-1 reset: 3`: why calls were moved on. */
export function movesText(lines: readonly LoggedCall[]): string {
  const moves = lines.flatMap((line) => attemptsOf(line).slice(0, -1)).map((one) => one.join(' '));
  const counts = Map.groupBy(moves, (move) => move);
  return [...counts].map(([move, all]) => `${move}: ${all.length}`).join(', ') || 'none';
}
