/** `webhooks`: events that could not be delivered. */
import type { Command } from 'commander';
import { CommandFailure } from './failure.ts';
import type { Session } from './session.ts';
import { printFields, printJson, printLine, printNote, printTable, type Terminal } from './terminal.ts';

interface OutputOptions {
  json?: boolean;
}

interface Event {
  readonly id: string;
  readonly tenant: string;
  readonly job: string;
  readonly type: string;
  readonly created_at: string;
  readonly tries: number;
  readonly last_try_at: string | null;
  readonly last_status: number | null;
  readonly last_cause: string | null;
  readonly given_up_at: string | null;
}

interface Replayed {
  readonly id: string;
  readonly outcome: 'replayed' | 'absent' | 'running' | 'no_endpoint';
}

const REPLAYED_AT_ONCE_MAX = 1_000;

export function webhookEventCommands(webhooks: Command, session: Session): void {
  const { admin, terminal } = session;

  webhooks
    .command('list-dead')
    .description('list events that were given up, the newest first; they can be replayed')
    .option('--tenant <name>', 'of one tenant')
    .option('--json', 'print JSON')
    .action(async ({ tenant, json }: OutputOptions & { tenant?: string }) => {
      const events = await admin().list<Event>('/webhooks/dead', tenant === undefined ? {} : { tenant });
      if (json) printJson(terminal, events);
      else printDead(terminal, events);
    });

  webhooks
    .command('show-event <event>')
    .description('show an event that was not delivered yet')
    .option('--json', 'print JSON')
    .action(async (id: string, { json }: OutputOptions) => {
      const event = await admin().call<Event>('GET', `/webhooks/events/${encodeURIComponent(id)}`);
      if (json) printJson(terminal, event);
      else printEvent(terminal, event);
    });

  webhooks
    .command('replay [events...]')
    .description(
      'give events that were given up, or wait for another try, all their tries again, from now on',
    )
    .option('--tenant <name>', 'all events of one tenant that were given up')
    .option('--json', 'print JSON')
    .action((events: string[], options: OutputOptions & { tenant?: string }, command: Command) => {
      if (events.length > 0 === (options.tenant !== undefined)) {
        command.error('error: name events or a tenant; see webhooks list-dead');
      }
      return replay(session, events, options);
    });
}

async function replay(
  { admin, terminal }: Session,
  named: readonly string[],
  { tenant, json }: OutputOptions & { tenant?: string },
): Promise<void> {
  const ids =
    tenant === undefined
      ? named
      : (await admin().list<Event>('/webhooks/dead', { tenant })).map(({ id }) => id);
  const replayed: Replayed[] = [];
  for (let at = 0; at < ids.length; at += REPLAYED_AT_ONCE_MAX) {
    const events = ids.slice(at, at + REPLAYED_AT_ONCE_MAX);
    const { data } = await admin().call<{ data: Replayed[] }>('POST', '/webhooks/replay', {
      json: { events },
    });
    replayed.push(...data);
  }
  if (json) return printJson(terminal, replayed);
  const count = replayed.filter(({ outcome }) => outcome === 'replayed').length;
  printLine(terminal, `${count} of ${replayed.length} events are on their way again.`);
  const others = replayed.filter(({ outcome }) => outcome !== 'replayed');
  for (const { id, outcome } of others) printNote(terminal, `${id}: ${remarks[outcome] ?? outcome}`);
  if (others.some(({ outcome }) => outcome !== 'running'))
    throw new CommandFailure('not all could be replayed.');
}

const remarks: Readonly<Record<string, string>> = {
  absent: 'there is no such event, or it was delivered',
  running: 'it is being delivered just now',
  no_endpoint: 'its tenant has no webhook any more',
};

function printDead(terminal: Terminal, events: readonly Event[]): void {
  if (events.length === 0) return printNote(terminal, 'No event was given up.');
  printTable(terminal, events, [
    { title: 'EVENT', text: ({ id }) => id },
    { title: 'TENANT', text: ({ tenant }) => tenant },
    { title: 'TYPE', text: ({ type }) => type },
    { title: 'JOB', text: ({ job }) => job },
    { title: 'GIVEN UP', text: ({ given_up_at }) => given_up_at ?? '-' },
    { title: 'TRIES', text: ({ tries }) => String(tries) },
    { title: 'LAST', text: lastText },
  ]);
}

function printEvent(terminal: Terminal, event: Event): void {
  printFields(terminal, {
    event: event.id,
    tenant: event.tenant,
    type: event.type,
    job: event.job,
    created: event.created_at,
    tries: String(event.tries),
    'last try': event.last_try_at ? `${event.last_try_at}, ${lastText(event)}` : '-',
    'given up': event.given_up_at ?? 'no',
  });
}

/** `status 503`, `timeout`. */
function lastText({ last_status, last_cause }: Event): string {
  return last_status === null ? (last_cause ?? '-') : `status ${last_status}`;
}
