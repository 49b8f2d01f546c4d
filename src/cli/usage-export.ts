import { type ExportFormat, exportPages } from './page-export.ts';
import type { Session } from './session.ts';
import { figureNames, type UsageRow, usagePages } from './usage-pages.ts';

export interface ExportOptions {
  tenant: string;
  from: string;
  to: string;
  format: ExportFormat;
  output?: string;
}

const DAY_MS = 86_400_000;
const columns = ['date', 'key', 'model', ...figureNames] as const;

export async function exportUsage({ admin, terminal }: Session, options: ExportOptions): Promise<void> {
  const { tenant, from, to, format, output } = options;
  await exportPages(terminal, usagePages(admin(), { tenant, from, to }, 'day,key,model'), {
    format,
    output,
    columns,
    cell: (row: UsageRow, column) => String(Reflect.get(row, column) ?? ''),
    share: ({ date }) => shareOf(date, from, to),
  });
}

/** Rows come day by day. */
function shareOf(date: string | undefined, from: string, to: string): number | undefined {
  if (date === undefined) return undefined;
  const beginMs = Date.parse(from);
  const share = (Date.parse(date) + DAY_MS - beginMs) / (Date.parse(to) + DAY_MS - beginMs);
  return Number.isFinite(share) ? share : undefined;
}
