/** What a report has to read, or why it cannot be had. */
import { type Refusal, refusal } from '../../core/errors.ts';
import { dayAfter, dayOf, isDay, isMonth, monthAfter, monthOf, spansBetween } from './spans.ts';

export const groupings = ['day', 'month', 'key', 'model'] as const;
export type Grouping = (typeof groupings)[number];

export interface ReportQuery {
  readonly tenant: string;
  /** Days, both included; months where `group_by` has `month`. UTC. */
  readonly from: string;
  readonly to: string;
  readonly group_by: readonly Grouping[];
  readonly key?: string | undefined;
  readonly model?: string | undefined;
  /** `next_cursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface ReportPlan {
  readonly tenant: string;
  /** Days or months whose sums are read, in their order; both where no row names its span. */
  readonly spans: readonly string[];
  /** What a row says of its span. */
  readonly label: 'date' | 'month' | undefined;
  readonly byKey: boolean;
  readonly byModel: boolean;
  readonly keyId: string | undefined;
  readonly model: string | undefined;
  /** Neither key nor model matters: the sums of the whole tenant by day are enough. */
  readonly isOfTotals: boolean;
}

type Planned =
  | { readonly ok: true; readonly plan: ReportPlan }
  | { readonly ok: false; readonly refusal: Refusal };

/** With today; as long as the sums by key and model are kept. */
const DAYS_MAX = 35;
const TOTAL_DAYS_MAX = 400;
/** This one and twelve before, which the 400 days that a month's sums live always cover. */
const MONTHS_MAX = 13;

export function planReport(query: ReportQuery, nowMs: number): Planned {
  const { tenant, from, to, group_by, key, model } = query;
  const isByMonth = group_by.includes('month');
  if (isByMonth && group_by.includes('day')) return refused('group_by', 'takes day or month, not both');
  const [isSpan, form] = isByMonth
    ? [isMonth, 'a month such as 2026-11']
    : [isDay, 'a day such as 2026-11-21'];
  if (!isSpan(from)) return refused('from', `must be ${form}`);
  if (!isSpan(to)) return refused('to', `must be ${form}`);
  if (to < from) return refused('to', 'must not be before from');

  const byKey = group_by.includes('key');
  const byModel = group_by.includes('model');
  const isOfTotals = !byKey && !byModel && key === undefined && model === undefined;
  const countMax = isByMonth ? MONTHS_MAX : isOfTotals ? TOTAL_DAYS_MAX : DAYS_MAX;
  const spans = spansBetween(from, to, countMax);
  const remedy = isByMonth || isOfTotals ? '' : '; group by month to look further back';
  const unit = isByMonth ? 'months' : 'days';
  if (spans.length > countMax) return refused('to', `must be within ${countMax} ${unit} of from${remedy}`);
  const today = dayOf(nowMs);
  const oldest = isByMonth ? monthAfter(monthOf(today), 1 - countMax) : dayAfter(today, 1 - countMax);
  if (from < oldest) return refused('from', `is before ${oldest}, and older sums are not kept${remedy}`);

  const label = isByMonth ? 'month' : group_by.includes('day') ? 'date' : undefined;
  const plan: ReportPlan = {
    tenant,
    spans: isByMonth && isOfTotals ? daysOfMonths(from, to) : label ? spans : withWholeMonths(spans, today),
    label,
    ...{ byKey, byModel, keyId: key, model, isOfTotals },
  };
  return { ok: true, plan };
}

function daysOfMonths(from: string, to: string): string[] {
  return spansBetween(`${from}-01`, dayAfter(`${monthAfter(to, 1)}-01`, -1), MONTHS_MAX * 31);
}

/**
 * Days of a month that is asked for from its beginning to its end, or to today, are read as the sums of that month: a
 * tenth of the work. Only for sums by key and model, which are the ones that months have.
 */
function withWholeMonths(days: readonly string[], today: string): string[] {
  return [...Map.groupBy(days, monthOf)].flatMap(([month, ofMonth]) => {
    const lastDay = dayAfter(`${monthAfter(month, 1)}-01`, -1);
    const end = lastDay < today ? lastDay : today;
    const isWhole = ofMonth[0] === `${month}-01` && (ofMonth.at(-1) ?? '') >= end;
    return isWhole ? [month] : ofMonth;
  });
}

function refused(param: string, message: string): Planned {
  return { ok: false, refusal: refusal('invalid_parameter', `${param}: ${message}.`, { param }) };
}
