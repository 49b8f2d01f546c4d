/** `jobs`: requests that run later, of all tenants. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Session } from './session.ts';
import { printFields, printJson, printLine, printNote, printTable } from './terminal.ts';

interface OutputOptions {
  json?: boolean;
}

interface ListOptions extends OutputOptions {
  tenant?: string;
  status?: string;
  model?: string;
  limit: number;
}

interface Job {
  readonly id: string;
  readonly tenant: string;
  readonly key_id: string;
  readonly model: string;
  readonly line: string;
  readonly via: string;
  readonly status: string;
  readonly priority: number;
  readonly bytes: number;
  readonly estimated_tokens: number;
  readonly attempts: number;
  readonly created_at: string;
  readonly expires_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly position: number | null;
  readonly eta_seconds: number | null;
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly cancelled_by: string | null;
  readonly retry_of: string | null;
}

interface Queue {
  readonly drained_at: string | null;
  readonly unfinished: number;
  readonly unfinished_bytes: number;
  readonly lines: readonly {
    readonly line: string;
    readonly waiting: number;
    readonly oldest_seconds: number | null;
    readonly handed: number;
    readonly parked_tenants: number;
  }[];
}

const LIMIT = 50;
const PAGE_MAX = 1_000;

export function jobCommands(jobs: Command, session: Session): void {
  jobs
    .command('list')
    .description('list jobs: of one tenant the newest first')
    .option('--tenant <name>', 'of this tenant only')
    .option('--status <status>', 'queued, in_progress, completed, failed, cancelled or expired')
    .option('--model <name>', 'of this model only')
    .option('--limit <count>', 'at most so many', count, LIMIT)
    .option('--json', 'print JSON')
    .action((options: ListOptions) => list(session, options));
  jobs
    .command('queue')
    .description('show how much waits, and whether the queue is stopped')
    .option('--json', 'print JSON')
    .action(async ({ json }: OutputOptions) =>
      showQueue(session, await session.admin().call<Queue>('GET', '/jobs/queue'), json),
    );
  const ofOne = (name: 'show' | 'cancel' | 'retry', description: string) =>
    jobs
      .command(name)
      .argument('<id>', 'job_…')
      .description(description)
      .option('--json', 'print JSON')
      .action((id: string, options: OutputOptions) => actions[name](session, id, options));
  ofOne('show', 'show all that is known of a job, except its prompt and answer');
  ofOne('cancel', 'end a job, wherever it is');
  ofOne('retry', 'run a failed job again, as a new job');
  for (const name of ['drain', 'resume'] as const) {
    jobs
      .command(name)
      .description(name === 'drain' ? 'begin no more jobs; those that run may end' : 'begin jobs again')
      .option('--json', 'print JSON')
      .action((options: OutputOptions) => setDrained(session, name, options));
  }
}

const actions = { show, cancel, retry } as const;

async function list({ admin, terminal }: Session, { json, limit, ...filter }: ListOptions): Promise<void> {
  const parameters = new URLSearchParams({ ...filter, limit: String(Math.min(limit, PAGE_MAX)) });
  const jobs: Job[] = [];
  let isMore = true;
  while (isMore && jobs.length < limit) {
    const page = await admin().call<{ data: Job[]; next_cursor: string | null }>(
      'GET',
      `/jobs?${parameters}`,
    );
    jobs.push(...page.data);
    isMore = page.next_cursor !== null;
    if (page.next_cursor !== null) parameters.set('cursor', page.next_cursor);
  }
  const shown = jobs.slice(0, limit);
  if (json) return printJson(terminal, shown);
  if (shown.length === 0) return printNote(terminal, 'There are no such jobs.');
  printTable(terminal, shown, [
    { title: 'JOB', text: ({ id }) => id },
    { title: 'STATUS', text: ({ status }) => status, color: ({ status }) => colors[status] },
    { title: 'TENANT', text: ({ tenant }) => tenant },
    { title: 'MODEL', text: ({ model }) => model },
    { title: 'TOKENS', text: ({ estimated_tokens }) => String(estimated_tokens) },
    { title: 'ATTEMPTS', text: ({ attempts }) => String(attempts) },
    { title: 'CREATED', text: ({ created_at }) => created_at },
    { title: 'CAUSE', text: causeOf },
  ]);
  if (isMore || jobs.length > limit) printNote(terminal, `There are more; --limit shows more than ${limit}.`);
}

const colors: Readonly<Record<string, 'green' | 'red' | 'yellow' | undefined>> = {
  completed: 'green',
  failed: 'red',
  expired: 'red',
  cancelled: 'yellow',
};

function causeOf({ error, cancelled_by }: Job): string {
  return error?.code ?? (cancelled_by === null ? '-' : `by ${cancelled_by}`);
}

async function show({ admin, terminal }: Session, id: string, { json }: OutputOptions): Promise<void> {
  const job = await admin().call<Job>('GET', pathOf(id));
  if (json) return printJson(terminal, job);
  const { error, usage } = job;
  printFields(terminal, {
    job: job.id,
    status: job.status,
    tenant: job.tenant,
    key: job.key_id,
    model: job.model,
    line: job.line,
    caller: job.via === 'held' ? 'waits on the connection' : 'has the id',
    priority: String(job.priority),
    position: job.position === null ? '-' : String(job.position),
    eta: job.eta_seconds === null ? '-' : `${job.eta_seconds} s`,
    created: job.created_at,
    started: job.started_at ?? '-',
    finished: job.finished_at ?? '-',
    expires: job.expires_at,
    attempts: String(job.attempts),
    request: `${job.bytes} bytes, about ${job.estimated_tokens} tokens`,
    usage: usage ? `${usage.input_tokens} tokens in, ${usage.output_tokens} out` : '-',
    error: error ? `${error.code}: ${error.message}` : '-',
    'cancelled by': job.cancelled_by ?? '-',
    'retry of': job.retry_of ?? '-',
  });
  if (job.status === 'failed') printNote(terminal, `To run it again: sluice jobs retry ${job.id}`);
}

async function cancel({ admin, terminal }: Session, id: string, { json }: OutputOptions): Promise<void> {
  const job = await admin().call<Job>('POST', `${pathOf(id)}/cancel`);
  if (json) return printJson(terminal, job);
  if (job.status === 'cancelled') return printLine(terminal, `Job ${job.id} is cancelled.`);
  printLine(terminal, `Job ${job.id} was over: ${job.status}.`);
}

async function retry({ admin, terminal }: Session, id: string, { json }: OutputOptions): Promise<void> {
  const job = await admin().call<Job>('POST', `${pathOf(id)}/retry`);
  if (json) return printJson(terminal, job);
  printLine(terminal, `Job ${id} runs again as ${job.id}; it is ${job.status}.`);
}

async function setDrained(
  session: Session,
  command: 'drain' | 'resume',
  { json }: OutputOptions,
): Promise<void> {
  const queue = await session.admin().call<Queue>('POST', `/jobs/${command}`);
  await showQueue(session, queue, json);
}

async function showQueue({ terminal }: Session, queue: Queue, json: boolean | undefined): Promise<void> {
  if (json) return printJson(terminal, queue);
  const { drained_at, unfinished, unfinished_bytes, lines } = queue;
  const state =
    drained_at === null ? 'Jobs are begun as there is room' : `No job is begun since ${drained_at}`;
  printLine(terminal, `${state}; ${unfinished} are unfinished, with ${unfinished_bytes} bytes.`);
  if (lines.length === 0) return;
  printTable(terminal, lines, [
    { title: 'LINE', text: ({ line }) => line },
    { title: 'WAITING', text: ({ waiting }) => String(waiting) },
    {
      title: 'OLDEST',
      text: ({ oldest_seconds }) => (oldest_seconds === null ? '-' : `${oldest_seconds} s`),
    },
    { title: 'IN HAND', text: ({ handed }) => String(handed) },
    { title: 'PARKED TENANTS', text: ({ parked_tenants }) => String(parked_tenants) },
  ]);
}

function pathOf(id: string): string {
  return `/jobs/${encodeURIComponent(id)}`;
}

function count(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('Write a whole number from 1 to 999999.');
  return Number(text);
}
