/**
 * A report page by page. What is read are sums of one key and model in one day or month, in a fixed order; a page
 * is so many of them, and its cursor names the last one. So an answer costs Redis and this process the same,
 * however many keys a tenant has. A group that lies across the edge of two pages has a row on each.
 */
import type { Answer } from '../../redis/connection.ts';
import type { UsagePair, UsageSpot, UsageTable } from '../../redis/usage-table.ts';
import type { ReportPlan } from './report-plan.ts';
import { monthOf } from './spans.ts';

export interface SpotPage {
  readonly spots: readonly UsageSpot[];
  readonly nextCursor: string | null;
}

/** @param spotsMax about so many, at least one; four times as many where no row names its span */
export function spotsOf(
  table: UsageTable,
  plan: ReportPlan,
  cursor: string | undefined,
  spotsMax: number,
): Promise<Answer<SpotPage>> {
  if (plan.isOfTotals) {
    const spots = plan.spans.map((span) => ({ span, keyId: '*', model: '*' }));
    return Promise.resolve({ ok: true, value: { spots, nextCursor: null } });
  }
  const { byKey, byModel, keyId, model } = plan;
  const order = byModel && !byKey ? 'model' : 'key';
  const pairsOf: PairSource = (span, after, countMax) =>
    table.pairs(plan.tenant, monthOf(span), { order, after, countMax, keyId, model });
  return plan.label === undefined
    ? pairByPair(pairsOf, plan.spans, cursor, spotsMax)
    : spanBySpan(pairsOf, plan.spans, cursor, spotsMax);
}

/** The first pairs behind a place in the month of a span. */
type PairSource = (
  span: string,
  after: string | undefined,
  countMax: number,
) => Promise<Answer<readonly UsagePair[]>>;

/** Cursor: `<span> <place>`. */
async function spanBySpan(
  pairsOf: PairSource,
  spans: readonly string[],
  cursor: string | undefined,
  spotsMax: number,
): Promise<Answer<SpotPage>> {
  const [, spanBefore = '', placeBefore] = /^(\S+) (.+)$/.exec(cursor ?? '') ?? [];
  const whole = new Map<string, readonly UsagePair[]>();
  const spots: UsageSpot[] = [];
  for (const span of spans) {
    if (span < spanBefore) continue;
    const after = span === spanBefore ? placeBefore : undefined;
    let pairs = after === undefined ? whole.get(monthOf(span)) : undefined;
    if (pairs === undefined) {
      const found = await pairsOf(span, after, spotsMax);
      if (!found.ok) return found;
      pairs = found.value;
      if (after === undefined && pairs.length < spotsMax) whole.set(monthOf(span), pairs);
    }
    for (const { keyId, model, place } of pairs) {
      spots.push({ span, keyId, model });
      if (spots.length === spotsMax) return { ok: true, value: { spots, nextCursor: `${span} ${place}` } };
    }
  }
  return { ok: true, value: { spots, nextCursor: null } };
}

/** Where many spots make one row, and most of them have no sums, a page may be of so many times more. */
const SPOTS_OF_ROW = 4;

/** Cursor: `<place>`. All spans of a pair are on one page. */
async function pairByPair(
  pairsOf: PairSource,
  spans: readonly string[],
  cursor: string | undefined,
  spotsMax: number,
): Promise<Answer<SpotPage>> {
  const countMax = Math.max(1, Math.floor((SPOTS_OF_ROW * spotsMax) / Math.max(SPOTS_OF_ROW, spans.length)));
  const spansByMonth = Map.groupBy(spans, monthOf);
  const byPlace = new Map<string, UsageSpot[]>();
  for (const [month, ofMonth] of spansByMonth) {
    const found = await pairsOf(month, cursor, countMax);
    if (!found.ok) return found;
    for (const { keyId, model, place } of found.value) {
      const spots = ofMonth.map((span) => ({ span, keyId, model }));
      byPlace.set(place, [...(byPlace.get(place) ?? []), ...spots]);
    }
  }
  const places = [...byPlace.keys()].sort().slice(0, countMax);
  const nextCursor = places.length === countMax ? (places.at(-1) ?? null) : null;
  return { ok: true, value: { spots: places.flatMap((place) => byPlace.get(place) ?? []), nextCursor } };
}
