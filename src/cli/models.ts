/** `models list`: which servers answer for which name, and how calls are shared out. */
import type { Command } from 'commander';
import type { Session } from './session.ts';
import { printJson, printNote, printTable } from './terminal.ts';

interface Server {
  readonly name: string;
  readonly weight: number;
  readonly status: string;
}

interface Version {
  readonly name: string | null;
  readonly share: number;
  readonly upstreams: readonly Server[];
}

interface Model {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly choice: string;
  readonly sticky: string;
  readonly fallbacks: readonly string[];
  readonly versions: readonly Version[];
}

export function modelCommands(models: Command, session: Session): void {
  models
    .command('list')
    .description('list the models and the GPU servers that answer for them, as this gateway sees them')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) => listModels(session, options));
}

async function listModels({ admin, terminal }: Session, { json }: { json?: boolean }): Promise<void> {
  const { data } = await admin().call<{ data: Model[] }>('GET', '/models');
  if (json) return printJson(terminal, data);
  if (data.length === 0) {
    return printNote(terminal, 'No model is served. Set UPSTREAM_URL or SLUICE_CONFIG.');
  }
  const rows = data.flatMap((model) => model.versions.map((version) => ({ model, version })));
  printTable(terminal, rows, [
    { title: 'MODEL', text: ({ model, version }) => nameOf(model, version) },
    { title: 'SHARE', text: ({ version }) => `${Math.round(version.share * 1_000) / 10} %` },
    {
      title: 'UPSTREAMS',
      text: ({ version }) => version.upstreams.map(serverText).join(', '),
      color: ({ version }) => {
        return version.upstreams.some(({ status }) => status === 'healthy') ? undefined : 'red';
      },
    },
    { title: 'CHOICE', text: ({ model }) => model.choice },
    { title: 'STICKY', text: ({ model }) => model.sticky },
    { title: 'ALIASES', text: ({ model }) => model.aliases.join(', ') },
    { title: 'FALLBACKS', text: ({ model }) => model.fallbacks.join(', ') },
  ]);
}

function nameOf({ name }: Model, version: Version): string {
  return version.name === null ? name : `${name}@${version.name}`;
}

function serverText({ name, weight, status }: Server): string {
  return `${name}${weight === 1 ? '' : ` ×${weight}`}${status === 'healthy' ? '' : ` (${status})`}`;
}
