/** `upstreams`: the GPU servers as a gateway sees them, and taking one out for a while. */
import type { Command } from 'commander';
import type { Session } from './session.ts';
import { printJson, printLine, printNote, printTable } from './terminal.ts';

interface OutputOptions {
  json?: boolean;
}

interface Upstream {
  readonly name: string;
  readonly url: string;
  readonly state: string;
  readonly in_flight: number;
  readonly reported_load: { readonly running: number; readonly waiting: number } | null;
  readonly ejections: Readonly<Record<string, number>>;
  readonly last_failure: { readonly kind: string; readonly seconds_ago: number } | null;
  readonly models: readonly string[];
}

interface Commanded extends Upstream {
  readonly reach: 'all_replicas' | 'this_replica';
}

export function upstreamCommands(upstreams: Command, session: Session): void {
  upstreams
    .command('list')
    .description('list the GPU servers as this gateway sees them')
    .option('--json', 'print JSON')
    .action((options: OutputOptions) => list(session, options));
  upstreams
    .command('drain')
    .argument('<name>', 'as in the configuration')
    .description('send no new calls to a GPU server; those that run there may end')
    .option('--json', 'print JSON')
    .action((name: string, options: OutputOptions) => drain(session, name, options));
  upstreams
    .command('resume')
    .argument('<name>', 'as in the configuration')
    .description('send calls to a drained GPU server again')
    .option('--json', 'print JSON')
    .action((name: string, options: OutputOptions) => resume(session, name, options));
}

async function list({ admin, terminal }: Session, { json }: OutputOptions): Promise<void> {
  const { data } = await admin().call<{ data: Upstream[] }>('GET', '/upstreams');
  if (json) return printJson(terminal, data);
  if (data.length === 0)
    return printNote(terminal, 'No GPU server is configured. Set UPSTREAM_URL or SLUICE_CONFIG.');
  printTable(terminal, data, [
    { title: 'UPSTREAM', text: ({ name }) => name },
    {
      title: 'STATE',
      text: ({ state }) => state,
      color: ({ state }) => (state === 'up' ? 'green' : state === 'draining' ? 'yellow' : 'red'),
    },
    { title: 'IN FLIGHT', text: ({ in_flight }) => String(in_flight) },
    { title: 'REPORTED', text: reportedText },
    { title: 'EJECTIONS', text: ejectionsText },
    { title: 'LAST FAILURE', text: failureText },
    { title: 'URL', text: ({ url }) => url },
    { title: 'MODELS', text: ({ models }) => models.join(', ') },
  ]);
}

/** `12 running, 3 waiting`, by the server's own metrics. */
function reportedText({ reported_load }: Upstream): string {
  return reported_load ? `${reported_load.running} running, ${reported_load.waiting} waiting` : '-';
}

/** `3 (frozen 1, errors 2)`. */
function ejectionsText({ ejections }: Upstream): string {
  const happened = Object.entries(ejections).filter(([, count]) => count > 0);
  const sum = happened.reduce((total, [, count]) => total + count, 0);
  if (sum === 0) return '0';
  return `${sum} (${happened.map(([reason, count]) => `${reason} ${count}`).join(', ')})`;
}

function failureText({ last_failure }: Upstream): string {
  return last_failure ? `${last_failure.kind}, ${last_failure.seconds_ago} s ago` : '-';
}

async function drain(session: Session, name: string, { json }: OutputOptions): Promise<void> {
  const { terminal } = session;
  const upstream = await command(session, name, 'drain');
  if (json) return printJson(terminal, upstream);
  const running = upstream.in_flight === 1 ? '1 call runs' : `${upstream.in_flight} calls run`;
  printLine(terminal, `Upstream ${name} gets no new calls; ${running} there for this gateway.`);
  noteReach(session, upstream);
}

async function resume(session: Session, name: string, { json }: OutputOptions): Promise<void> {
  const { terminal } = session;
  const upstream = await command(session, name, 'resume');
  if (json) return printJson(terminal, upstream);
  printLine(terminal, `Upstream ${name} is not drained any more; its state is ${upstream.state}.`);
  noteReach(session, upstream);
}

function command({ admin }: Session, name: string, what: 'drain' | 'resume'): Promise<Commanded> {
  return admin().call<Commanded>('POST', `/upstreams/${encodeURIComponent(name)}/${what}`);
}

function noteReach({ terminal }: Session, { reach }: Commanded): void {
  if (reach === 'all_replicas') return;
  printNote(
    terminal,
    'Redis did not answer: this holds for this gateway alone, which tells the others when Redis is back.',
  );
}
