/** `audit`: who has changed what. */
import { type Command, Option } from 'commander';
import type { FieldChange, StoredAuditEntry } from '../core/audit.ts';
import type { AdminClient } from './admin-client.ts';
import { type ExportFormat, exportPages } from './page-export.ts';
import { duration, type Session } from './session.ts';
import { printJson, printNote, printTable } from './terminal.ts';

interface FilterOptions {
  actor?: string;
  action?: string;
  subject?: string;
  from?: string;
  to?: string;
  last?: number;
}

interface ListOptions extends FilterOptions {
  limit: string;
  json?: boolean;
}

interface ExportOptions extends FilterOptions {
  format: ExportFormat;
  output?: string;
}

const columns = [
  ...(['id', 'at', 'actor', 'actor_name', 'role', 'address', 'request_id', 'action', 'outcome'] as const),
  ...(['subject', 'changes', 'counts'] as const),
];

const PAGE_ENTRIES = '500';

export function auditCommands(audit: Command, session: Session): void {
  addFilters(audit.command('list'))
    .description('list what was changed through the admin API, the newest first')
    .option('--limit <count>', 'how many at most', '50')
    .option('--json', 'print JSON, with the values before and after')
    .action((options: ListOptions, command: Command) => list(session, options, command));

  addFilters(audit.command('export'))
    .description('write all of it as NDJSON or CSV, the newest first')
    .addOption(new Option('--format <format>', 'of the file').choices(['ndjson', 'csv']).default('ndjson'))
    .option('--output <file>', 'default: standard output')
    .action((options: ExportOptions, command: Command) => exportTrail(session, options, command));
}

function addFilters(command: Command): Command {
  return command
    .option('--actor <admin>', 'by this admin: id, name, or root')
    .option('--action <action>', 'such as key.update; key alone: all that was done to keys')
    .option('--subject <name>', 'done to this: a key, tenant, upstream, job, admin')
    .option('--from <time>', 'since then, ISO 8601')
    .option('--to <time>', 'until then, ISO 8601')
    .option('--last <duration>', 'such as 24h or 7d, in place of --from', duration);
}

async function list(session: Session, options: ListOptions, command: Command): Promise<void> {
  const limit = /^[1-9]\d{0,6}$/.test(options.limit) ? Number(options.limit) : undefined;
  if (limit === undefined) return command.error('error: --limit must be a whole number from 1 on');
  const entries: StoredAuditEntry[] = [];
  for await (const page of pages(session.admin(), filterFrom(options, command))) {
    entries.push(...page.slice(0, limit - entries.length));
    if (entries.length === limit) break;
  }
  if (options.json) return printJson(session.terminal, entries);
  if (entries.length === 0) return printNote(session.terminal, 'There is nothing of that kind in the trail.');
  printTable(session.terminal, entries, [
    { title: 'AT', text: ({ at }) => `${at.slice(0, 19)}Z` },
    { title: 'WHO', text: ({ actor_name }) => actor_name },
    { title: 'FROM', text: ({ address }) => address },
    { title: 'ACTION', text: ({ action }) => action },
    {
      title: 'OUTCOME',
      text: ({ outcome }) => outcome,
      color: ({ outcome }) => (outcome === 'done' ? undefined : 'yellow'),
    },
    { title: 'SUBJECT', text: ({ subject }) => Object.values(subject).join(' ') || '-' },
    { title: 'CHANGES', text: changesText },
  ]);
}

async function exportTrail(session: Session, options: ExportOptions, command: Command): Promise<void> {
  const { format, output } = options;
  const filter = filterFrom(options, command);
  await exportPages(session.terminal, pages(session.admin(), filter), {
    format,
    output,
    columns,
    cell: (entry: StoredAuditEntry, column) => {
      const value: unknown = Reflect.get(entry, column);
      return typeof value === 'string' ? value : JSON.stringify(value);
    },
    share: () => undefined,
  });
}

async function* pages(
  admin: AdminClient,
  filter: Readonly<Record<string, string>>,
): AsyncGenerator<readonly StoredAuditEntry[], void> {
  const parameters = new URLSearchParams({ ...filter, limit: PAGE_ENTRIES });
  for (;;) {
    const page = await admin.call<{ data: StoredAuditEntry[]; next_cursor: string | null }>(
      'GET',
      `/audit?${parameters}`,
    );
    yield page.data;
    if (page.next_cursor === null) return;
    parameters.set('cursor', page.next_cursor);
  }
}

function filterFrom(
  { actor, action, subject, from, to, last }: FilterOptions,
  command: Command,
): Record<string, string> {
  if (from !== undefined && last !== undefined) command.error('error: give --from or --last, not both');
  const since = last === undefined ? from : new Date(Date.now() - last * 1_000).toISOString();
  const given = Object.entries({ actor, action, subject, from: since, to });
  return Object.fromEntries(given.filter((field): field is [string, string] => field[1] !== undefined));
}

const VALUE_LENGTH_MAX = 40;

function changesText({ changes, counts }: StoredAuditEntry): string {
  const fields = Object.entries(changes).map(([path, change]) => `${path}: ${changeText(change)}`);
  return [...fields, ...Object.entries(counts).map(([name, count]) => `${name} ${count}`)].join(', ') || '-';
}

function changeText({ before, after }: FieldChange): string {
  return before === null ? valueText(after) : `${valueText(before)} → ${valueText(after)}`;
}

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= VALUE_LENGTH_MAX ? text : `${text.slice(0, VALUE_LENGTH_MAX)}…`;
}
