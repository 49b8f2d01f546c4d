/** `webhooks`: where tenants want the ends of their jobs told. */
import type { Command } from 'commander';
import { duration, type Session } from './session.ts';
import { printFields, printJson, printLine, printNote, type Terminal } from './terminal.ts';
import { webhookEventCommands } from './webhook-events.ts';

interface OutputOptions {
  json?: boolean;
}

interface Endpoint {
  readonly tenant: string;
  readonly url: string | null;
  readonly status: 'enabled' | 'disabled';
  readonly disabled_because: string | null;
  readonly created_at: string;
  readonly last_delivered_at: string | null;
  readonly held_until: string | null;
  readonly failures_in_a_row: number;
  readonly events_dropped: number;
  readonly secrets: readonly { readonly created_at: string; readonly expires_at: string | null }[];
  /** Of one that is shown. */
  readonly events?: { readonly waiting: number; readonly running: number; readonly dead: number };
  /** Of one that was just made. */
  readonly secret?: string;
}

export function webhookCommands(webhooks: Command, session: Session): void {
  endpointCommands(webhooks, session);
  webhookEventCommands(webhooks, session);
}

function endpointCommands(webhooks: Command, { admin, terminal }: Session): void {
  webhooks
    .command('set <tenant>')
    .description('tell a tenant of the ends of its jobs; prints the secret of a new webhook, once')
    .requiredOption('--url <address>', 'where messages go: https, and public unless its host is listed')
    .option('--json', 'print JSON')
    .action(async (tenant: string, { url, json }: OutputOptions & { url: string }) => {
      printEndpoint(terminal, await admin().call<Endpoint>('PUT', path(tenant), { json: { url } }), json);
    });

  webhooks
    .command('show <tenant>')
    .description('show the webhook of a tenant, and how its deliveries go')
    .option('--json', 'print JSON')
    .action(async (tenant: string, { json }: OutputOptions) => {
      printEndpoint(terminal, await admin().call<Endpoint>('GET', path(tenant)), json);
    });

  for (const [verb, status, description] of [
    ['disable', 'disabled', 'make and send no more events; those that wait go on waiting'],
    ['enable', 'enabled', 'make and send events again'],
  ] as const) {
    webhooks
      .command(`${verb} <tenant>`)
      .description(description)
      .option('--json', 'print JSON')
      .action(async (tenant: string, { json }: OutputOptions) => {
        const endpoint = await admin().call<Endpoint>('PUT', path(tenant), { json: { status } });
        if (json) printJson(terminal, endpoint);
        else printLine(terminal, `The webhook of ${tenant} is ${endpoint.status}.`);
      });
  }

  webhooks
    .command('rotate-secret <tenant>')
    .description('make a new secret and print it, once; the old one goes on signing for a while')
    .option(
      '--overlap <time>',
      'how long both sign, such as 24h (default: webhooks.overlap_seconds)',
      duration,
    )
    .option('--json', 'print JSON')
    .action(async (tenant: string, { overlap, json }: OutputOptions & { overlap?: number }) => {
      const body = overlap === undefined ? {} : { overlap_seconds: overlap };
      const url = `${path(tenant)}/rotate-secret`;
      printEndpoint(terminal, await admin().call<Endpoint>('POST', url, { json: body }), json);
    });

  webhooks
    .command('remove <tenant>')
    .description('tell a tenant nothing any more, and drop the events that wait')
    .option('--json', 'print JSON')
    .action(async (tenant: string, { json }: OutputOptions) => {
      const removed = await admin().call('DELETE', path(tenant));
      if (json) printJson(terminal, removed);
      else printLine(terminal, `The webhook of ${tenant} is removed.`);
    });
}

function printEndpoint(terminal: Terminal, endpoint: Endpoint, json: boolean | undefined): void {
  if (json) return printJson(terminal, endpoint);
  const { url, status, disabled_because, secrets, events, secret } = endpoint;
  printFields(terminal, {
    tenant: endpoint.tenant,
    url: url ?? 'unreadable: stored under another SLUICE_SECRET',
    status: disabled_because ? `${status} (${disabled_because})` : status,
    secrets: secrets.map(({ expires_at }) => (expires_at ? `until ${expires_at}` : 'current')).join(', '),
    'failures in a row': String(endpoint.failures_in_a_row),
    'held until': endpoint.held_until ?? '-',
    'last delivered': endpoint.last_delivered_at ?? '-',
    ...(events && {
      events: `${events.waiting} waiting, ${events.running} running, ${events.dead} given up`,
    }),
    'events dropped': String(endpoint.events_dropped),
    created: endpoint.created_at,
    ...(secret !== undefined && { secret }),
  });
  if (secret !== undefined) printNote(terminal, 'The secret is shown this once. Give it to the receiver.');
}

function path(tenant: string): string {
  return `/tenants/${encodeURIComponent(tenant)}/webhook`;
}
