import type { Command } from 'commander';
import type { KeyRecord, ShownKey } from '../core/principal.ts';
import {
  addKeyAccessOptions,
  type KeyAccessOptions,
  keyAccessFrom,
  keyAccessLines,
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
import { allowanceFields } from './allowance-text.ts';
import { keyListCommand } from './key-list.ts';
import { type OversizeOptions, oversizeFrom, oversizeOption, oversizeText } from './oversize-option.ts';
import { policyFrom, policyOption } from './policy-option.ts';
import { duration, type Session } from './session.ts';
import { printFields, printJson, printLine, printNote, type Terminal } from './terminal.ts';

type IssuedKey = KeyRecord & { readonly key: string };

interface CreateOptions extends AllowanceOptions, OversizeOptions, KeyAccessOptions {
  tenant: string;
  name: string;
  policy?: string;
  expiresAt?: string;
  expiresIn?: number;
  json?: boolean;
}

interface UpdateOptions extends AllowanceChanges, OversizeOptions, KeyAccessOptions {
  name?: string;
  policy?: string;
  expiresAt?: string;
  json?: boolean;
}

interface RotateOptions {
  overlap?: number;
  json?: boolean;
}

interface OutputOptions {
  json?: boolean;
}

export function keyCommands(keys: Command, session: Session): void {
  addKeyAccessOptions(addAllowanceOptions(keys.command('create')))
    .description('make a key; it is shown once')
    .requiredOption('--tenant <tenant>', 'whose key it is; a new tenant is made on the way')
    .requiredOption('--name <name>', 'what people call it')
    .addOption(policyOption())
    .addOption(oversizeOption())
    .option('--expires-at <time>', 'ISO 8601 with a zone, such as 2027-01-31T00:00:00Z')
    .option('--expires-in <duration>', 'such as 12h or 30d', duration)
    .option('--json', 'print the answer of the admin API')
    .action((options: CreateOptions, command: Command) => create(session, options, command));

  keyListCommand(keys, session);

  keys
    .command('show <id>')
    .description('show one key, without its secret')
    .option('--json', 'print JSON')
    .action(async (id: string, options: OutputOptions) => {
      printKey(session.terminal, await session.admin().call<ShownKey>('GET', path(id)), options);
    });

  addKeyAccessOptions(addAllowanceChanges(keys.command('update <id>')))
    .description('change a key')
    .option('--name <name>', 'what people call it')
    .addOption(policyOption())
    .addOption(oversizeOption())
    .option('--expires-at <time>', 'ISO 8601 with a zone, or never')
    .option('--json', 'print JSON')
    .action((id: string, options: UpdateOptions, command: Command) => update(session, id, options, command));

  keys
    .command('rotate <id>')
    .description('give a key a new secret; the old one works on for a while')
    .option('--overlap <duration>', 'how long, such as 24h; 0 ends it at once; default: 24h', duration)
    .option('--json', 'print the answer of the admin API')
    .action((id: string, options: RotateOptions) => rotate(session, id, options));

  statusCommands(keys, session);
}

function statusCommands(keys: Command, session: Session): void {
  const change = (name: string, description: string, method: string, json?: object) => {
    keys
      .command(`${name} <id>`)
      .description(description)
      .option('--json', 'print JSON')
      .action(async (id: string, options: OutputOptions) => {
        const record = await session.admin().call<KeyRecord>(method, path(id), json ? { json } : {});
        if (options.json) printJson(session.terminal, record);
        else printLine(session.terminal, `${record.id} of tenant ${record.tenant} is ${record.status}.`);
      });
  };
  change('disable', 'refuse a key until it is enabled again', 'PATCH', { status: 'disabled' });
  change('enable', 'accept a disabled key again', 'PATCH', { status: 'active' });
  change('revoke', 'refuse a key for good', 'DELETE');
}

async function create(session: Session, options: CreateOptions, command: Command): Promise<void> {
  const { tenant, name, expiresAt, expiresIn } = options;
  if (expiresAt !== undefined && expiresIn !== undefined) {
    command.error('error: give --expires-at or --expires-in, not both');
  }
  const json = {
    tenant,
    name,
    ...keyAccessFrom(options),
    ...allowanceFrom(options),
    policy: policyFrom(options),
    oversize_rule: oversizeFrom(options),
    expires_at: expiresIn === undefined ? expiresAt : new Date(Date.now() + expiresIn * 1_000).toISOString(),
  };
  const issued = await session.admin().call<IssuedKey>('POST', '/keys', { json });
  const intro = `${issued.id}, named ${issued.name}, of tenant ${issued.tenant}.`;
  printSecret(session.terminal, issued, options, intro);
}

async function update(session: Session, id: string, options: UpdateOptions, command: Command): Promise<void> {
  const { name, expiresAt } = options;
  const conflict = allowanceConflict(options);
  if (conflict) command.error(`error: ${conflict}`);
  const before = () => session.admin().call<KeyRecord>('GET', path(id));
  const json = {
    name,
    ...keyAccessFrom(options),
    ...(await allowanceChangesFrom(options, before)),
    policy: policyFrom(options),
    oversize_rule: oversizeFrom(options),
    expires_at: expiresAt === 'never' ? null : expiresAt,
  };
  if (Object.values(json).every((value) => value === undefined)) {
    command.error('error: give at least one thing to change; see keys update --help');
  }
  const record = await session.admin().call<KeyRecord>('PATCH', path(id), { json });
  printKey(session.terminal, record, options);
}

async function rotate(session: Session, id: string, options: RotateOptions): Promise<void> {
  const json = { overlap_seconds: options.overlap };
  const issued = await session.admin().call<IssuedKey>('POST', `${path(id)}/rotate`, { json });
  const rest = options.overlap === 0 ? 'works no more' : 'goes on working until the overlap ends';
  printSecret(session.terminal, issued, options, `${issued.id} has a new secret; the old one ${rest}.`);
}

/** The secret alone goes to standard output, on its own line: `KEY=$(sluice keys create …)` takes just that. */
function printSecret(terminal: Terminal, issued: IssuedKey, { json }: OutputOptions, intro: string): void {
  if (json) printJson(terminal, issued);
  else {
    printNote(terminal, intro);
    printNote(terminal, 'This is the key. Store it now: it cannot be shown again.');
    printLine(terminal, issued.key);
  }
}

function printKey(terminal: Terminal, record: KeyRecord | ShownKey, { json }: OutputOptions): void {
  if (json) printJson(terminal, record);
  else {
    printFields(terminal, {
      id: record.id,
      tenant: record.tenant,
      name: record.name,
      status: record.status,
      ...keyAccessLines(record),
      ...allowanceFields(record),
      policy: record.policy ?? 'none',
      'oversize rule': oversizeText(record.oversize_rule),
      origin: record.origin,
      created: record.created_at,
      expires: record.expires_at ?? 'never',
      rotated: record.rotated_at ?? 'never',
      ...('last_used_at' in record && { 'last used': record.last_used_at ?? 'never' }),
    });
  }
}

function path(id: string): string {
  return `/keys/${encodeURIComponent(id)}`;
}
