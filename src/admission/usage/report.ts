import type { Answer } from '../../redis/connection.ts';
import type { UsageSpot, UsageSums, UsageTable } from '../../redis/usage-table.ts';
import { added, figuresOf, isNothing, nothingUsed, type UsageFigures } from './figures.ts';
import { spotsOf } from './report-pages.ts';
import type { ReportPlan } from './report-plan.ts';
import { monthOf } from './spans.ts';

/** Wire shape; has what the report is grouped by. */
export interface ReportRow extends UsageFigures {
  readonly date?: string;
  readonly month?: string;
  readonly key?: string;
  readonly model?: string;
}

export interface ReportPage {
  /** Only what has been used. */
  readonly rows: readonly ReportRow[];
  /** Of these rows. */
  readonly totals: UsageFigures;
  readonly nextCursor: string | null;
}

/** Hashes that one answer reads, four times as many where they are summed up: some 30 ms of Redis' time, in lots. */
const SPOTS_MAX = 4_000;

/** Reads one page. @param spotsMax as `spotsOf` has it */
export async function readReport(
  table: UsageTable,
  plan: ReportPlan,
  cursor: string | undefined,
  spotsMax: number = SPOTS_MAX,
): Promise<Answer<ReportPage>> {
  const page = await spotsOf(table, plan, cursor, spotsMax);
  if (!page.ok) return page;
  const { spots, nextCursor } = page.value;
  const found = await table.sums(plan.tenant, spots);
  if (!found.ok) return found;

  const groups = new Map<string, { readonly spot: UsageSpot; sums: UsageSums }>();
  let totals = nothingUsed;
  for (const [index, spot] of spots.entries()) {
    const sums = found.value[index];
    if (sums === undefined) continue;
    totals = added(totals, sums);
    const name = JSON.stringify(namesOf(plan, spot));
    const group = groups.get(name);
    if (group) group.sums = added(group.sums, sums);
    else groups.set(name, { spot, sums });
  }
  const rows = [...groups.values()]
    .filter(({ sums }) => !isNothing(sums))
    .map(({ spot, sums }) => ({ ...namesOf(plan, spot), ...figuresOf(sums) }));
  return { ok: true, value: { rows, totals: figuresOf(totals), nextCursor } };
}

function namesOf({ label, byKey, byModel }: ReportPlan, { span, keyId, model }: UsageSpot) {
  return {
    ...(label === 'date' && { date: span }),
    ...(label === 'month' && { month: monthOf(span) }),
    ...(byKey && { key: keyId }),
    ...(byModel && { model }),
  };
}
