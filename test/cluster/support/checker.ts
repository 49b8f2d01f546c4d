/** Judges of a run. Pure: each takes what was recorded and says what is wrong with it. */
import type { AccountState, Books, KeptLine, Outstanding } from './books.ts';
import type { CallRecord } from './history.ts';
import type { TraceEvent } from './trace.ts';

/** Something that happened once, at a moment that is known within bounds. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly amount: number;
}

/**
 * The burst that a bucket of this rate must have had at least to let all this pass: the largest sum, over any
 * interval, of what surely happened in it, less what the rate gives in that time. An event counts only where its
 * whole span lies inside, so what exceeds a limit here has exceeded it in truth.
 *
 * An interval matters only if it begins with one span and ends with another, so pairs are enough: n² / 2 steps,
 * some 50 ms for 9,000 events.
 *
 * @param extraAt what may pass beyond the bucket in intervals that begin then
 */
export function burstNeeded(
  spans: readonly Span[],
  perMinute: number,
  extraAt: (fromMs: number) => number = () => 0,
): number {
  const byEnd = [...spans].sort((one, other) => one.toMs - other.toMs);
  let most = 0;
  for (const { fromMs: beginMs } of spans) {
    const extra = extraAt(beginMs);
    let sum = 0;
    for (const { fromMs, toMs, amount } of byEnd) {
      if (fromMs < beginMs) continue;
      sum += amount;
      most = Math.max(most, sum - extra - ((toMs - beginMs) * perMinute) / 60_000);
    }
  }
  return most;
}

/**
 * What a bucket lets pass under steady demand, from the first admission to the last attempt. Before the first one it
 * is full and gains nothing, so a slow start is not its fault.
 */
export function allowedUntilEnd(
  calls: readonly CallRecord[],
  { perMinute, burst }: { readonly perMinute: number; readonly burst: number },
): number {
  let firstMs = Number.POSITIVE_INFINITY;
  let lastMs = 0;
  for (const { status, sentAtMs, answeredAtMs } of calls) {
    if (status === 200) firstMs = Math.min(firstMs, answeredAtMs);
    lastMs = Math.max(lastMs, sentAtMs);
  }
  return burst + ((lastMs - firstMs) * perMinute) / 60_000;
}

/** The instants of admission as the callers saw them. */
export function spansOf(calls: readonly CallRecord[]): Span[] {
  return calls.map(({ sentAtMs, answeredAtMs }) => ({ fromMs: sentAtMs, toMs: answeredAtMs, amount: 1 }));
}

/** A ticket holds its moment in whole milliseconds; buckets have a finer clock. */
const UNSURE_MS = 1.5;

/**
 * Replays the bucket of tokens of one account by what Redis itself has done: at each admission there was as much in it
 * as the call needed (at most the whole burst), so nobody was admitted on debt.
 */
export function overdrafts(
  events: readonly TraceEvent[],
  account: string,
  { perMinute, burst }: { readonly perMinute: number; readonly burst: number },
): string[] {
  const faults: string[] = [];
  const unsure = (perMinute * UNSURE_MS) / 60_000;
  let zeroMs: number | undefined;
  for (const event of events) {
    if (event.kind === 'bucket' && event.account === account && event.field === 't') zeroMs = event.zeroMs;
    if (event.kind !== 'admitted') continue;
    let held: number | undefined;
    for (const { id, atMs, tokens } of event.tickets) {
      held ??= zeroMs === undefined ? burst : Math.min(burst, ((atMs - zeroMs) / 60_000) * perMinute);
      if (held < Math.min(tokens, burst) - unsure) {
        faults.push(`${id} needs ${tokens} and there are ${held.toFixed(2)}`);
      }
      held -= tokens;
    }
  }
  return faults;
}

/** Each ticket came into being once and was closed once. */
export function ticketFaults(events: readonly TraceEvent[]): string[] {
  const admitted = new Map<string, number>();
  const closed = new Map<string, number>();
  for (const event of events) {
    if (event.kind === 'admitted') for (const { id } of event.tickets) count(admitted, id);
    if (event.kind === 'closed') for (const id of event.ids) count(closed, id);
  }
  return [...admitted].flatMap(([id, times]) => {
    const closings = closed.get(id) ?? 0;
    return times === 1 && closings === 1 ? [] : [`${id} admitted ${times} times, closed ${closings} times`];
  });
}

function count(counts: Map<string, number>, id: string): void {
  counts.set(id, (counts.get(id) ?? 0) + 1);
}

/** What the books must hold of a call; tokens within bounds where nobody has counted them. */
export interface Due {
  /** How many lines it has: 0 where it never went to a server, 0 or 1 where nobody can tell. */
  readonly lines: readonly [number, number];
  readonly statuses: readonly number[];
  readonly input: readonly [number, number];
  readonly output: readonly [number, number];
}

/**
 * Compares the tenant's books with what should be in them, call by call; and the sums and the quota with the calls.
 * @param quota as the account has it under `total`
 */
export function chargeFaults(
  books: Books,
  calls: readonly CallRecord[],
  dueOf: (call: CallRecord) => Due,
): string[] {
  const linesById = Map.groupBy(books.lines, ({ request_id }) => request_id);
  const faults: string[] = [];
  for (const call of calls) {
    const lines = linesById.get(call.id) ?? [];
    linesById.delete(call.id);
    faults.push(...faultsOfCall(call, lines, dueOf(call)));
  }
  for (const id of linesById.keys()) faults.push(`${id} is in the books and was never made`);
  return faults;
}

function faultsOfCall(call: CallRecord, lines: readonly KeptLine[], due: Due): string[] {
  const name = `${call.kind} ${call.id} (${call.status})`;
  if (lines.length < due.lines[0] || lines.length > due.lines[1]) {
    return [`${name} was booked ${lines.length} times`];
  }
  return lines.flatMap(({ status, input_tokens, output_tokens }) => [
    ...(due.statuses.includes(status) ? [] : [`${name} was booked with status ${status}`]),
    ...(isWithin(input_tokens, due.input) ? [] : [`${name} was charged ${input_tokens} tokens in`]),
    ...(isWithin(output_tokens, due.output) ? [] : [`${name} was charged ${output_tokens} tokens out`]),
  ]);
}

function isWithin(value: number, [least, most]: readonly [number, number]): boolean {
  return value >= least && value <= most;
}

/** The sums of keys and of the tenant, and the quotas used, are those of the lines; `lost` is what a sweep booked. */
export function sumFaults(books: Books, account: AccountState | undefined): string[] {
  const due = {
    calls: books.lines.length,
    errors: books.lines.filter(({ status }) => status >= 400).length,
    input: sumOf(books.lines, ({ input_tokens }) => input_tokens),
    output: sumOf(books.lines, ({ output_tokens }) => output_tokens),
  };
  const faults: string[] = [];
  for (const [name, sums] of [
    ['day', books.ofKeys],
    ['month', books.ofMonth],
    ['tenant', books.ofTenant],
  ] as const) {
    for (const field of ['calls', 'errors', 'input', 'output'] as const) {
      if (sums[field] !== due[field])
        faults.push(`${name}: ${field} ${sums[field]}, calls say ${due[field]}`);
    }
  }
  if (account && account.quotaTokens !== due.input + due.output) {
    faults.push(`quota: ${account.quotaTokens} tokens, calls say ${due.input + due.output}`);
  }
  return faults;
}

function sumOf(lines: readonly KeptLine[], amount: (line: KeptLine) => number): number {
  return lines.reduce((sum, line) => sum + amount(line), 0);
}

/** Tickets that are neither closed nor booked as lost, and slots that are taken. */
export function outstandingFaults({ open, slots }: Outstanding): string[] {
  const faults = Object.entries(slots).flatMap(([scope, taken]) =>
    taken === 0 ? [] : [`${scope} has ${taken} slots taken`],
  );
  return open.length === 0 ? faults : [`${open.length} tickets are open: ${open.slice(0, 5)}`, ...faults];
}
