/** `usage show | export | calls`: what a tenant has used. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Session } from './session.ts';
import { printJson, printNote, printTable } from './terminal.ts';
import { type ExportOptions, exportUsage } from './usage-export.ts';
import { added, type Figures, nothing, type UsageRange, type UsageRow, usagePages } from './usage-pages.ts';

type By = 'day' | 'month' | 'key' | 'model';

interface ShowOptions {
  tenant: string;
  from?: string;
  to?: string;
  by: By;
  json?: boolean;
}

interface CallsOptions {
  tenant: string;
  limit: number;
  json?: boolean;
}

interface EndedCall {
  readonly ended_at: string;
  readonly request_id: string;
  readonly key: string;
  readonly endpoint: string;
  readonly model: string;
  readonly status: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly duration_ms: number;
  readonly cost_usd: number;
}

const DAY_MS = 86_400_000;
const CALLS_PAGE = 1_000;

export function usageCommands(usage: Command, session: Session): void {
  usage
    .command('show')
    .description('sum up what a tenant has used')
    .requiredOption('--tenant <tenant>', 'whose usage')
    .option('--from <day>', 'first day, UTC; default: 29 days before the last; with --by month: a month')
    .option('--to <day>', 'last day, UTC; default: today')
    .addOption(
      new Option('--by <what>', 'what gets a row of its own')
        .choices(['day', 'month', 'key', 'model'])
        .default('day'),
    )
    .option('--json', 'print JSON')
    .action((options: ShowOptions) => show(session, options));

  usage
    .command('export')
    .description('write the sums of each day, key and model; the last 35 days are kept')
    .requiredOption('--tenant <tenant>', 'whose usage')
    .requiredOption('--from <day>', 'first day, such as 2026-11-01, UTC')
    .requiredOption('--to <day>', 'last day, with it')
    .addOption(new Option('--format <format>', 'how').choices(['csv', 'ndjson']).makeOptionMandatory())
    .option('--output <file>', 'where to; default: standard output')
    .action((options: ExportOptions) => exportUsage(session, options));

  usage
    .command('calls')
    .description('list the latest calls of a tenant, newest first')
    .requiredOption('--tenant <tenant>', 'whose calls')
    .option('--limit <number>', 'how many, at most', count, 20)
    .option('--json', 'print JSON')
    .action((options: CallsOptions) => calls(session, options));
}

async function show({ admin, terminal }: Session, { by, json, ...options }: ShowOptions): Promise<void> {
  const range = rangeOf(options, by);
  const groups = new Map<string, UsageRow>();
  let totals = nothing;
  for await (const rows of usagePages(admin(), range, by)) {
    for (const row of rows) {
      const name = nameOf(row);
      const before = groups.get(name);
      groups.set(name, before ? added(before, row) : row);
      totals = added(totals, row);
    }
  }
  const data = [...groups.values()];
  if (json) return printJson(terminal, { ...range, data, totals });
  if (data.length === 0) {
    return printNote(terminal, `Tenant ${range.tenant} has used nothing from ${range.from} to ${range.to}.`);
  }
  const lines = [...data.map((row) => [nameOf(row), row] as const), ['total', totals] as const];
  const number = (title: string, value: (figures: Figures) => number) => {
    const text = ([, figures]: (typeof lines)[number]) => value(figures).toLocaleString('en');
    return { title, text, alignRight: true };
  };
  printTable(terminal, lines, [
    { title: by.toUpperCase(), text: ([name]) => name },
    number('CALLS', ({ calls }) => calls),
    number('ERRORS', ({ errors }) => errors),
    number('LOST', ({ lost }) => lost),
    number('INPUT', ({ input_tokens }) => input_tokens),
    number('CACHED', ({ cached_tokens }) => cached_tokens),
    number('OUTPUT', ({ output_tokens }) => output_tokens),
    number('IMAGES', ({ images }) => images),
    number('GPU SECONDS', ({ gpu_seconds }) => gpu_seconds),
    { title: 'COST USD', text: ([, { cost_usd }]) => cost_usd.toFixed(6), alignRight: true },
  ]);
}

/** Of rows that are grouped by one thing. */
function nameOf({ date, month, key, model }: UsageRow): string {
  return date ?? month ?? key ?? model ?? '';
}

function rangeOf({ tenant, from, to }: Omit<ShowOptions, 'by'>, by: By): UsageRange {
  const today = new Date().toISOString();
  if (by === 'month') {
    const last = to ?? today.slice(0, 7);
    const [year = 0, month = 1] = last.split('-').map(Number);
    return { tenant, from: from ?? isoOf(Date.UTC(year, month - 12), 7), to: last };
  }
  const last = to ?? today.slice(0, 10);
  return { tenant, from: from ?? isoOf(Date.parse(last) - 29 * DAY_MS, 10), to: last };
}

/** The API says what is wrong with a day that is none. */
function isoOf(ms: number, length: number): string {
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString().slice(0, length);
}

async function calls({ admin, terminal }: Session, { tenant, limit, json }: CallsOptions): Promise<void> {
  const found: EndedCall[] = [];
  const parameters = new URLSearchParams({ tenant });
  for (let more = true; more && found.length < limit; ) {
    parameters.set('limit', String(Math.min(CALLS_PAGE, limit - found.length)));
    const page = await admin().call<{ data: EndedCall[]; next_cursor: string | null }>(
      'GET',
      `/usage/calls?${parameters}`,
    );
    found.push(...page.data);
    more = page.next_cursor !== null;
    parameters.set('cursor', page.next_cursor ?? '');
  }
  if (json) return printJson(terminal, found);
  if (found.length === 0) return printNote(terminal, `No calls of tenant ${tenant} are kept.`);
  printTable(terminal, found, [
    { title: 'ENDED', text: ({ ended_at }) => ended_at },
    { title: 'KEY', text: ({ key }) => key },
    { title: 'ENDPOINT', text: ({ endpoint }) => endpoint },
    { title: 'MODEL', text: ({ model }) => model },
    {
      title: 'STATUS',
      text: ({ status }) => String(status),
      color: ({ status }) => (status < 400 ? 'green' : 'red'),
    },
    { title: 'INPUT', text: ({ input_tokens }) => input_tokens.toLocaleString('en'), alignRight: true },
    { title: 'OUTPUT', text: ({ output_tokens }) => output_tokens.toLocaleString('en'), alignRight: true },
    { title: 'SECONDS', text: ({ duration_ms }) => (duration_ms / 1_000).toFixed(3), alignRight: true },
    { title: 'COST USD', text: ({ cost_usd }) => cost_usd.toFixed(6), alignRight: true },
    { title: 'REQUEST ID', text: ({ request_id }) => request_id },
  ]);
}

function count(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('Give a number from 1 to 999999.');
  return Number(text);
}
