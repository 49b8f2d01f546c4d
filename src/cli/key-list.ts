/** `keys list`: all keys, or those that a filter leaves. */
import { type Command, Option } from 'commander';
import type { KeyStatus, ShownKey } from '../core/principal.ts';
import { limitsText, modelsText } from './allowance-text.ts';
import { duration, type Session } from './session.ts';
import { printJson, printNote, printTable } from './terminal.ts';

interface ListOptions {
  tenant?: string;
  tag?: string;
  status?: KeyStatus;
  olderThan?: number;
  unusedFor?: number;
  json?: boolean;
}

export function keyListCommand(keys: Command, session: Session): void {
  keys
    .command('list')
    .description('list keys, without the secrets')
    .option('--tenant <tenant>', 'of this tenant alone')
    .option('--tag <tag>', 'those that carry it')
    .addOption(new Option('--status <status>', 'those in it').choices(['active', 'disabled', 'revoked']))
    .option('--older-than <duration>', 'made longer ago, such as 180d', duration)
    .option('--unused-for <duration>', 'made longer ago and not used since, such as 90d', duration)
    .option('--json', 'print JSON')
    .action((options: ListOptions) => list(session, options));
}

async function list(session: Session, options: ListOptions): Promise<void> {
  const { tenant, tag, status, olderThan, unusedFor } = options;
  const wanted = { tenant, tag, status, created_before: ago(olderThan), unused_since: ago(unusedFor) };
  const named = Object.entries(wanted).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const keys = await session.admin().list<ShownKey>('/keys', Object.fromEntries(named));
  if (options.json) return printJson(session.terminal, keys);
  if (keys.length === 0) {
    return printNote(session.terminal, named.length > 0 ? 'There are no such keys.' : 'There are no keys.');
  }
  printTable(session.terminal, keys, [
    { title: 'ID', text: ({ id }) => id },
    { title: 'TENANT', text: ({ tenant }) => tenant },
    { title: 'NAME', text: ({ name }) => name },
    {
      title: 'STATUS',
      text: ({ status }) => status,
      color: ({ status }) => (status === 'active' ? 'green' : 'red'),
    },
    { title: 'CREATED', text: ({ created_at }) => toTheSecond(created_at) },
    { title: 'EXPIRES', text: ({ expires_at }) => (expires_at ? toTheSecond(expires_at) : 'never') },
    { title: 'LAST USED', text: ({ last_used_at }) => (last_used_at ? toTheSecond(last_used_at) : 'never') },
    { title: 'TAGS', text: ({ tags }) => tags.join(',') || '-' },
    { title: 'LIMITS', text: ({ limits }) => limitsText(limits) },
    { title: 'MODELS', text: ({ models }) => modelsText(models) },
  ]);
}

function ago(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : new Date(Date.now() - seconds * 1_000).toISOString();
}

function toTheSecond(instant: string): string {
  return `${instant.slice(0, 19)}Z`;
}
