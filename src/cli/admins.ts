/** `admins`: who may use the admin API. */
import { type Command, Option } from 'commander';
import { type AdminRecord, adminRoles } from '../core/admin.ts';
import { duration, type Session } from './session.ts';
import { printFields, printJson, printLine, printNote, printTable, type Terminal } from './terminal.ts';

type ShownAdmin = AdminRecord & { readonly last_used_at: string | null };
type IssuedAdmin = AdminRecord & { readonly key: string };

interface OutputOptions {
  json?: boolean;
}

interface CreateOptions extends OutputOptions {
  name: string;
  role: string;
  expiresAt?: string;
  expiresIn?: number;
}

interface UpdateOptions extends OutputOptions {
  name?: string;
  role?: string;
  expiresAt?: string;
}

export function adminCommands(admins: Command, session: Session): void {
  admins
    .command('create')
    .description('make an admin; the admin key is shown once')
    .requiredOption('--name <name>', 'who it is; stands in the audit trail')
    .addOption(roleOption().makeOptionMandatory())
    .option('--expires-at <time>', 'ISO 8601 with a zone, such as 2027-01-31T00:00:00Z')
    .option('--expires-in <duration>', 'such as 12h or 30d', duration)
    .option('--json', 'print the answer of the admin API')
    .action((options: CreateOptions, command: Command) => create(session, options, command));

  admins
    .command('list')
    .description('list admins, without their keys')
    .option('--json', 'print JSON')
    .action((options: OutputOptions) => list(session, options));

  admins
    .command('show <id>')
    .description('show one admin, without the key')
    .option('--json', 'print JSON')
    .action(async (id: string, options: OutputOptions) => {
      printAdmin(session.terminal, await session.admin().call<ShownAdmin>('GET', path(id)), options);
    });

  admins
    .command('update <id>')
    .description('change an admin')
    .option('--name <name>', 'who it is')
    .addOption(roleOption())
    .option('--expires-at <time>', 'ISO 8601 with a zone, or never')
    .option('--json', 'print JSON')
    .action((id: string, options: UpdateOptions, command: Command) => update(session, id, options, command));

  admins
    .command('rotate <id>')
    .description('give an admin a new key; the old one ends at once')
    .option('--overlap <duration>', 'how long the old one goes on working, such as 1h', duration, 0)
    .option('--json', 'print the answer of the admin API')
    .action(async (id: string, options: OutputOptions & { overlap: number }) => {
      const json = { overlap_seconds: options.overlap };
      const issued = await session.admin().call<IssuedAdmin>('POST', `${path(id)}/rotate`, { json });
      printSecret(session.terminal, issued, options, `${issued.id}, named ${issued.name}, has a new key.`);
    });

  statusCommands(admins, session);
}

function roleOption(): Option {
  return new Option('--role <role>', 'what the admin may do').choices(adminRoles);
}

function statusCommands(admins: Command, session: Session): void {
  const change = (name: string, description: string, method: string, json?: object) => {
    admins
      .command(`${name} <id>`)
      .description(description)
      .option('--json', 'print JSON')
      .action(async (id: string, options: OutputOptions) => {
        const record = await session.admin().call<AdminRecord>(method, path(id), json ? { json } : {});
        if (options.json) printJson(session.terminal, record);
        else printLine(session.terminal, `${record.id}, named ${record.name}, is ${record.status}.`);
      });
  };
  change('disable', 'refuse an admin until enabled again', 'PATCH', { status: 'disabled' });
  change('enable', 'accept a disabled admin again', 'PATCH', { status: 'active' });
  change('revoke', 'refuse an admin for good', 'DELETE');
}

async function create(session: Session, options: CreateOptions, command: Command): Promise<void> {
  const { name, role, expiresAt, expiresIn } = options;
  if (expiresAt !== undefined && expiresIn !== undefined) {
    command.error('error: give --expires-at or --expires-in, not both');
  }
  const expires_at =
    expiresIn === undefined ? expiresAt : new Date(Date.now() + expiresIn * 1_000).toISOString();
  const issued = await session
    .admin()
    .call<IssuedAdmin>('POST', '/admins', { json: { name, role, expires_at } });
  printSecret(session.terminal, issued, options, `${issued.id}, named ${issued.name}, is ${issued.role}.`);
}

async function list(session: Session, { json }: OutputOptions): Promise<void> {
  const admins = await session.admin().list<ShownAdmin>('/admins');
  if (json) return printJson(session.terminal, admins);
  if (admins.length === 0) {
    return printNote(session.terminal, 'There are no admins beside the token of the environment.');
  }
  printTable(session.terminal, admins, [
    { title: 'ID', text: ({ id }) => id },
    { title: 'NAME', text: ({ name }) => name },
    { title: 'ROLE', text: ({ role }) => role },
    {
      title: 'STATUS',
      text: ({ status }) => status,
      color: ({ status }) => (status === 'active' ? 'green' : 'red'),
    },
    { title: 'LAST USED', text: ({ last_used_at }) => toTheSecond(last_used_at) },
    { title: 'EXPIRES', text: ({ expires_at }) => toTheSecond(expires_at) },
  ]);
}

async function update(session: Session, id: string, options: UpdateOptions, command: Command): Promise<void> {
  const { name, role, expiresAt } = options;
  if (name === undefined && role === undefined && expiresAt === undefined) {
    command.error('error: give at least one of --name, --role, --expires-at');
  }
  const json = { name, role, expires_at: expiresAt === 'never' ? null : expiresAt };
  printAdmin(session.terminal, await session.admin().call<AdminRecord>('PATCH', path(id), { json }), options);
}

/** The key alone goes to standard output, on its own line. */
function printSecret(terminal: Terminal, issued: IssuedAdmin, { json }: OutputOptions, intro: string): void {
  if (json) return printJson(terminal, issued);
  printNote(terminal, intro);
  printNote(
    terminal,
    'This is the admin key, for SLUICE_ADMIN_TOKEN. Store it now: it cannot be shown again.',
  );
  printLine(terminal, issued.key);
}

function printAdmin(terminal: Terminal, record: AdminRecord | ShownAdmin, { json }: OutputOptions): void {
  if (json) return printJson(terminal, record);
  printFields(terminal, {
    id: record.id,
    name: record.name,
    role: record.role,
    status: record.status,
    created: record.created_at,
    expires: record.expires_at ?? 'never',
    rotated: record.rotated_at ?? 'never',
    ...('last_used_at' in record && { 'last used': record.last_used_at ?? 'never' }),
  });
}

function path(id: string): string {
  return `/admins/${encodeURIComponent(id)}`;
}

function toTheSecond(instant: string | null): string {
  return instant === null ? 'never' : `${instant.slice(0, 19)}Z`;
}
