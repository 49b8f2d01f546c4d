import { type Command, Option } from 'commander';
import { type TenantPriority, type TenantRecord, tenantPriorities } from '../core/principal.ts';
import {
  addTenantAccessOptions,
  type TenantAccessOptions,
  tenantAccessFrom,
  tenantAccessLines,
} from './access-options.ts';
import {
  type AllowanceChanges,
  type AllowanceOptions,
  addAllowanceChanges,
  addAllowanceOptions,
  allowanceChangesFrom,
  allowanceConflict,
  allowanceFrom,
} from './allowance-options.ts';
import { allowanceFields, limitsText } from './allowance-text.ts';
import { addJobTermOptions, type JobTermOptions, jobTermFields, jobTermLines } from './job-terms.ts';
import { policyFrom, policyOption } from './policy-option.ts';
import type { Session } from './session.ts';
import { printFields, printJson, printLine, printNote, printTable, type Terminal } from './terminal.ts';

interface OutputOptions {
  json?: boolean;
}

interface TreatmentOptions extends JobTermOptions, TenantAccessOptions {
  policy?: string;
  answerMetadata?: 'on' | 'off';
  showAttempts?: 'on' | 'off';
  priority?: TenantPriority;
}

type CreateOptions = OutputOptions & AllowanceOptions & TreatmentOptions;
type UpdateOptions = OutputOptions & AllowanceChanges & TreatmentOptions;

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
    .action(async (name: string, options: OutputOptions) => {
      printTenant(terminal, await session.admin().call<TenantRecord>('GET', path(name)), options);
    });

  addTreatmentOptions(addAllowanceOptions(tenants.command('create <name>')))
    .description('make a tenant before its first key')
    .option('--json', 'print JSON')
    .action(async (name: string, options: CreateOptions) => {
      const json = { name, ...allowanceFrom(options), ...treatmentFields(options) };
      printTenant(terminal, await session.admin().call<TenantRecord>('POST', '/tenants', { json }), options);
    });

  addTreatmentOptions(addAllowanceChanges(tenants.command('update <name>')))
    .description('change what a tenant may use, all its keys together')
    .option('--json', 'print JSON')
    .action((name: string, options: UpdateOptions, command: Command) => {
      return update(session, name, options, command);
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
    { title: 'PRIORITY', text: ({ priority }) => priority },
    { title: 'CREATED', text: ({ created_at }) => created_at },
    { title: 'LIMITS', text: ({ limits }) => limitsText(limits) },
  ]);
}

async function update(
  { admin, terminal }: Session,
  name: string,
  options: UpdateOptions,
  command: Command,
): Promise<void> {
  const conflict = allowanceConflict(options);
  if (conflict) command.error(`error: ${conflict}`);
  const before = () => admin().call<TenantRecord>('GET', path(name));
  const json = { ...(await allowanceChangesFrom(options, before)), ...treatmentFields(options) };
  if (Object.values(json).every((value) => value === undefined)) {
    command.error('error: give at least one thing to change; see tenants update --help');
  }
  printTenant(terminal, await admin().call<TenantRecord>('PATCH', path(name), { json }), options);
}

function addTreatmentOptions(command: Command): Command {
  const metadata = 'end JSON answers with time, version, key id and remaining quota';
  const attempts = 'name the GPU servers that were tried in a header of the answers';
  const priority =
    'who waits and who is sent away when all GPU servers of a model are full: the lowest first';
  return addTenantAccessOptions(addJobTermOptions(command))
    .addOption(policyOption())
    .addOption(new Option('--answer-metadata <switch>', metadata).choices(['on', 'off']))
    .addOption(new Option('--show-attempts <switch>', attempts).choices(['on', 'off']))
    .addOption(new Option('--priority <level>', priority).choices(tenantPriorities));
}

/** Undefined: not named. */
function treatmentFields(options: TreatmentOptions) {
  const { answerMetadata, showAttempts, priority } = options;
  return {
    policy: policyFrom(options),
    answer_metadata: isOn(answerMetadata),
    show_attempts: isOn(showAttempts),
    priority,
    ...jobTermFields(options),
    ...tenantAccessFrom(options),
  };
}

function isOn(wanted: 'on' | 'off' | undefined): boolean | undefined {
  return wanted && wanted === 'on';
}

function printTenant(terminal: Terminal, tenant: TenantRecord, { json }: OutputOptions): void {
  if (json) return printJson(terminal, tenant);
  const { name, status, created_at, answer_metadata, show_attempts, priority, policy } = tenant;
  printFields(terminal, {
    name,
    status,
    priority,
    ...allowanceFields(tenant),
    policy: policy ?? 'none',
    'answer metadata': answer_metadata ? 'on' : 'off',
    'show attempts': show_attempts ? 'on' : 'off',
    ...jobTermLines(tenant),
    ...tenantAccessLines(tenant),
    created: created_at,
  });
}

function path(name: string): string {
  return `/tenants/${encodeURIComponent(name)}`;
}
