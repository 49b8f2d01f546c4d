/** Tables, ratios and verdicts. Ratios are medians of what each round gave, never ratios of medians. */
import { cpus } from 'node:os';
import { type ContestantName, labels } from './contestants.ts';
import type { Measurement } from './measurements.ts';

export type Figures = Readonly<Record<string, number>>;

/** The figures of each contestant, round by round: the same index is the same round. */
export type Rounds = ReadonlyMap<ContestantName, readonly Figures[]>;

export interface Column {
  readonly key: string;
  readonly title: string;
  readonly show: (value: number) => string;
  /** What the proxy adds: the figure less that of the upstream itself in the same round. */
  readonly added?: boolean;
  /** Tells how far the others can be trusted; its ratio would mean nothing. */
  readonly circumstance?: boolean;
}

/** What a contestant must reach: relative to another one, or as it is. */
export interface Bound {
  readonly of: ContestantName;
  readonly figure: string;
  readonly over: ContestantName | null;
  readonly atMost?: number;
  readonly atLeast?: number;
  /** In the unit of the figure: how far it may be above the other's of the same round. */
  readonly moreAtMost?: number;
}

export const whole = (value: number) => Math.round(value).toLocaleString('en');
export const tenths = (value: number) => value.toFixed(1);
export const percent = (value: number) => `${Math.round(value * 100)} %`;

/** A noisy machine moves a figure, but not this far. */
const FAILED_AT = 3;

export function machineText(): string {
  const processors = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, ${processors[0]?.model}, ${processors.length} cores, Node ${process.version}`;
}

/** NaN if any value is: a round in which nothing came through cannot be left out. */
export function median(values: readonly number[]): number {
  if (values.some(Number.isNaN)) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const upper = Math.floor(sorted.length / 2);
  const lower = Math.floor((sorted.length - 1) / 2);
  return ((sorted[lower] ?? NaN) + (sorted[upper] ?? NaN)) / 2;
}

export function tableText(measurement: Measurement, rounds: Rounds): string {
  const { columns } = measurement;
  const rows = [['', ...columns.map(({ title }) => title)]];
  for (const name of rounds.keys()) {
    rows.push([labels[name], ...columns.map((column) => cell(column, name, rounds))]);
  }
  for (const [of, over] of comparisons) {
    if (!rounds.has(of) || !rounds.has(over)) continue;
    const ratios = columns.map((column) =>
      column.circumstance ? '' : shown(ratio(column, of, over, rounds), ratioText),
    );
    rows.push([`${labels[of]} ÷ ${labels[over]}`, ...ratios]);
  }
  return `${measurement.title}: ${measurement.conditions}\n${aligned(rows)}\n`;
}

const ratioText = (value: number) => value.toFixed(2);

const comparisons: readonly (readonly [ContestantName, ContestantName])[] = [
  ['open', 'bare'],
  ['open', 'nginx'],
  ['gateway', 'open'],
  ['gateway', 'bare'],
  ['gateway', 'nginx'],
];

function shown(value: number, show: Column['show']): string {
  return Number.isFinite(value) ? show(value) : '–';
}

function cell(column: Column, name: ContestantName, rounds: Rounds): string {
  return shown(median(series(column, name, rounds)), column.show);
}

function series({ key, added }: Column, name: ContestantName, rounds: Rounds): number[] {
  const direct = added && name !== 'direct' ? (rounds.get('direct') ?? []) : [];
  return (rounds.get(name) ?? []).map(
    (figures, round) => (figures[key] ?? NaN) - (direct[round]?.[key] ?? 0),
  );
}

function ratio(column: Column, of: ContestantName, over: ContestantName, rounds: Rounds): number {
  const others = series(column, over, rounds);
  return median(series(column, of, rounds).map((own, round) => own / (others[round] ?? NaN)));
}

function difference(column: Column, of: ContestantName, over: ContestantName, rounds: Rounds): number {
  const others = series(column, over, rounds);
  return median(series(column, of, rounds).map((own, round) => own - (others[round] ?? NaN)));
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((text, column) =>
      column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0),
    );
  return rows.map((row) => `  ${line(row).join('  ')}`).join('\n');
}

export interface Verdict {
  readonly text: string;
  readonly failed: boolean;
}

/** A bound that cannot be judged, because one of the two did not take part, has no verdict. */
export function verdicts(measurement: Measurement, rounds: Rounds): Verdict[] {
  return measurement.bounds.flatMap((bound) => {
    const { of, figure, over } = bound;
    const column = measurement.columns.find(({ key }) => key === figure);
    if (!column || !rounds.has(of) || (over !== null && !rounds.has(over))) return [];
    const { value, missedBy, relation, limit } = judge(bound, column, rounds);
    const judged = missedBy <= 1 ? 'held' : missedBy <= FAILED_AT ? 'missed' : 'FAILED';
    return {
      text: `${judged.padEnd(6)}  ${measurement.title}, ${labels[of]}, ${column.title}: ${value.toFixed(2)}${relation}, ${limit}`,
      failed: !(missedBy <= FAILED_AT),
    };
  });
}

function judge({ of, over, atMost, atLeast, moreAtMost }: Bound, column: Column, rounds: Rounds) {
  if (over !== null && moreAtMost !== undefined) {
    const value = difference(column, of, over, rounds);
    const relation = ` more than ${labels[over]}`;
    return { value, missedBy: value / moreAtMost, relation, limit: `at most ${moreAtMost}` };
  }
  const value = over === null ? median(series(column, of, rounds)) : ratio(column, of, over, rounds);
  return {
    value,
    missedBy: Math.max(value / (atMost ?? Infinity), (atLeast ?? 0) / value),
    relation: over === null ? '' : ` × ${labels[over]}'s`,
    limit: atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`,
  };
}
