/** `keys signing …`: what a key signs its requests with. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { CommandFailure } from './failure.ts';
import { duration, type Session } from './session.ts';
import { printJson, printLine, printNote, printTable, type Terminal } from './terminal.ts';

interface SigningKey {
  readonly id: string;
  readonly alg: string;
  readonly public_key: string | null;
  readonly note: string;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly secret?: string;
}

interface AddOptions {
  readonly publicKey?: string;
  readonly hmac?: boolean;
  readonly note?: string;
  readonly expiresAt?: string;
  readonly overlap?: number;
  readonly json?: boolean;
}

interface OutputOptions {
  readonly json?: boolean;
}

export function signingKeyCommands(keys: Command, session: Session): void {
  const signing = keys.command('signing').description('what a key signs its requests with (RFC 9421)');

  signing
    .command('add <key>')
    .description('enter an Ed25519 public key, or have a secret made')
    .option('--public-key <file>', 'PEM, JWK or base64; - for standard input')
    .option('--hmac', 'HMAC-SHA-256 with a secret of its own, which is shown once')
    .option('--note <text>', 'for people')
    .option('--expires-at <time>', 'ISO 8601 with a zone; default: as long as the key')
    .option('--overlap <duration>', 'all other signing keys of the key end after it, such as 24h', duration)
    .option('--json', 'print the answer of the admin API')
    .action((key: string, options: AddOptions, command: Command) => add(session, key, options, command));

  signing
    .command('list <key>')
    .description('list the signing keys of a key')
    .option('--json', 'print JSON')
    .action((key: string, options: OutputOptions) => list(session, key, options));

  signing
    .command('remove <key> <signing-key>')
    .description('refuse what it signs from now on')
    .option('--json', 'print JSON')
    .action(async (key: string, id: string, options: OutputOptions) => {
      const removed = await session
        .admin()
        .call<SigningKey>('DELETE', `${path(key)}/${encodeURIComponent(id)}`);
      if (options.json) printJson(session.terminal, removed);
      else printLine(session.terminal, `${removed.id} signs for ${key} no more.`);
    });
}

async function add(session: Session, key: string, options: AddOptions, command: Command): Promise<void> {
  const { publicKey, hmac, note, expiresAt, overlap } = options;
  if ((publicKey === undefined) === (hmac !== true)) command.error('error: give --public-key or --hmac');
  const json = {
    alg: hmac ? 'hmac-sha256' : 'ed25519',
    public_key: publicKey === undefined ? undefined : await publicKeyText(session.terminal, publicKey),
    note,
    expires_at: expiresAt,
    overlap_seconds: overlap,
  };
  const added = await session.admin().call<SigningKey>('PUT', path(key), { json });
  if (options.json) return printJson(session.terminal, added);
  const { terminal } = session;
  printNote(terminal, `${added.id} signs for ${key}, by ${added.alg}. Callers name it as keyid.`);
  if (added.secret === undefined) return printLine(terminal, added.id);
  printNote(terminal, 'This is its secret. Store it now: it cannot be shown again.');
  printLine(terminal, added.secret);
}

async function publicKeyText({ stdin }: Terminal, file: string): Promise<string> {
  if (file === '-') return await text(stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new CommandFailure(`cannot read ${file}: ${(error as Error).message}`);
  }
}

async function list(session: Session, key: string, { json }: OutputOptions): Promise<void> {
  const { data } = await session.admin().call<{ data: SigningKey[] }>('GET', path(key));
  if (json) return printJson(session.terminal, data);
  if (data.length === 0) return printNote(session.terminal, 'The key has no signing keys.');
  printTable(session.terminal, data, [
    { title: 'ID', text: ({ id }) => id },
    { title: 'ALG', text: ({ alg }) => alg },
    { title: 'CREATED', text: ({ created_at }) => created_at },
    { title: 'EXPIRES', text: ({ expires_at }) => expires_at ?? 'never' },
    { title: 'NOTE', text: ({ note }) => note },
  ]);
}

function path(key: string): string {
  return `/keys/${encodeURIComponent(key)}/signing-keys`;
}
