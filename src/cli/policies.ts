/** `policies`: what requests may ask for beyond limits, as a gateway has it from its configuration. */
import type { Command } from 'commander';
import type { Policy } from '../core/policy.ts';
import { CommandFailure } from './failure.ts';
import type { Session } from './session.ts';
import { printFields, printJson, printNote, printTable } from './terminal.ts';

interface OutputOptions {
  json?: boolean;
}

export function policyCommands(policies: Command, session: Session): void {
  policies
    .command('list')
    .description('list the policies of the configuration')
    .option('--json', 'print JSON')
    .action((options: OutputOptions) => list(session, options));
  policies
    .command('show <name>')
    .description('show one policy')
    .option('--json', 'print JSON')
    .action((name: string, options: OutputOptions) => show(session, name, options));
}

async function read({ admin }: Session): Promise<readonly Policy[]> {
  const { data } = await admin().call<{ data: Policy[] }>('GET', '/policies');
  return data;
}

async function list(session: Session, { json }: OutputOptions): Promise<void> {
  const { terminal } = session;
  const policies = await read(session);
  if (json) return printJson(terminal, policies);
  if (policies.length === 0) return printNote(terminal, 'The configuration has no policies.');
  printTable(terminal, policies, [
    { title: 'POLICY', text: ({ name }) => name },
    {
      title: 'MODEL',
      text: ({ model, default_model }) => model ?? (default_model ? `${default_model}, if none` : ''),
    },
    { title: 'DEFAULTS', text: ({ defaults }) => Object.keys(defaults).join(', ') },
    { title: 'FORCED', text: ({ forced }) => Object.keys(forced).join(', ') },
    { title: 'CAPS', text: ({ caps }) => valuesText(caps) },
    { title: 'REMOVED', text: ({ removed }) => removed.join(', ') },
    { title: 'TEXTS', text: textsText },
    { title: 'MEDIA HOSTS', text: ({ media_hosts }) => hostsText(media_hosts) ?? '' },
  ]);
}

async function show(session: Session, name: string, { json }: OutputOptions): Promise<void> {
  const policy = (await read(session)).find((one) => one.name === name);
  if (!policy) throw new CommandFailure(`There is no policy ${JSON.stringify(name)}; see policies list.`);
  if (json) return printJson(session.terminal, policy);
  const { model, default_model, defaults, forced, caps, removed } = policy;
  printFields(session.terminal, {
    name: policy.name,
    model: model ?? 'as asked for',
    'default model': default_model ?? 'none',
    defaults: valuesText(defaults) || 'none',
    forced: valuesText(forced) || 'none',
    caps: valuesText(caps) || 'none',
    removed: removed.join(', ') || 'none',
    'system text': oneLine(policy.system_text),
    'suffix text': oneLine(policy.suffix_text),
    'media hosts': hostsText(policy.media_hosts) ?? 'those of the configuration',
  });
}

/** `max_tokens 100, stop ["."]` */
function valuesText(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    .join(', ');
}

function textsText({ system_text, suffix_text }: Policy): string {
  return [system_text && 'system', suffix_text && 'suffix'].filter((one) => one).join(', ');
}

function hostsText(hosts: readonly string[] | undefined): string | undefined {
  return hosts?.length === 0 ? 'none' : hosts?.join(', ');
}

/** As JSON has it, so that line ends and spaces at the end are seen. */
function oneLine(text: string | undefined): string {
  return text === undefined ? 'none' : JSON.stringify(text);
}
