import type { Command } from 'commander';
import type { TenantRecord } from '../core/principal.ts';
import type { Session } from './session.ts';
import { printFields, printJson, printLine, printNote, printTable } from './terminal.ts';

interface OutputOptions {
  json?: boolean;
}

export function tenantCommands(tenants: Command, session: Session): void {
  const { terminal } = session;

  tenants
    .command('list')
    .description('list tenants')
    .option('--json', 'print JSON')
    .action((options: OutputOptions) => list(session, options));

  tenants
    .command('show <name>')
    .description('show one tenant')
    .option('--json', 'print JSON')
    .action(async (name: string, { json }: OutputOptions) => {
      const tenant = await session.admin().call<TenantRecord>('GET', path(name));
      if (json) printJson(terminal, tenant);
      else printFields(terminal, { name: tenant.name, status: tenant.status, created: tenant.created_at });
    });

  for (const [verb, status, description] of [
    ['disable', 'disabled', 'refuse every key of a tenant until it is enabled again'],
    ['enable', 'active', 'accept the keys of a disabled tenant again'],
  ] as const) {
    tenants
      .command(`${verb} <name>`)
      .description(description)
      .option('--json', 'print JSON')
      .action(async (name: string, { json }: OutputOptions) => {
        const tenant = await session.admin().call<TenantRecord>('PATCH', path(name), { json: { status } });
        if (json) printJson(terminal, tenant);
        else printLine(terminal, `Tenant ${tenant.name} is ${tenant.status}.`);
      });
  }
}

async function list({ admin, terminal }: Session, { json }: OutputOptions): Promise<void> {
  const tenants = await admin().list<TenantRecord>('/tenants');
  if (json) return printJson(terminal, tenants);
  if (tenants.length === 0) return printNote(terminal, 'There are no tenants.');
  printTable(terminal, tenants, [
    { title: 'TENANT', text: ({ name }) => name },
    {
      title: 'STATUS',
      text: ({ status }) => status,
      color: ({ status }) => (status === 'active' ? 'green' : 'red'),
    },
    { title: 'CREATED', text: ({ created_at }) => created_at },
  ]);
}

function path(name: string): string {
  return `/tenants/${encodeURIComponent(name)}`;
}
