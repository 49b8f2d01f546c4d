/** `config check | reload` */
import type { Command } from 'commander';
import type { Session } from './session.ts';
import { printJson, printLine } from './terminal.ts';

interface Reloaded {
  readonly changes: readonly {
    readonly what: string;
    readonly change: string;
    readonly fields: readonly string[];
  }[];
  readonly needs_restart: readonly string[];
  readonly warnings: readonly string[];
}

export function configCommands(config: Command, session: Session, end: (exitCode: number) => void): void {
  const { terminal } = session;
  config
    .command('check')
    .description('report every fault of SLUICE_CONFIG and the environment; exit 1 if there is one')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      // Loaded here, because no other command needs the configuration's libraries.
      const { configCheck } = await import('./config-check.ts');
      end(await configCheck(terminal.env, (text) => void terminal.stdout.write(text), json));
    });

  config
    .command('reload')
    .description('let one gateway read its configuration anew, without dropping a request')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) => reload(session, options));
}

async function reload({ admin, terminal }: Session, { json }: { json?: boolean }): Promise<void> {
  const reloaded = await admin().call<Reloaded>('POST', '/config/reload');
  if (json) return printJson(terminal, reloaded);
  const { changes, needs_restart: needsRestart, warnings } = reloaded;
  for (const warning of warnings) printLine(terminal, `warning: ${warning}`);
  for (const { what, change, fields } of changes) {
    printLine(terminal, `${change} ${what}${fields.length > 0 ? `: ${fields.join(', ')}` : ''}`);
  }
  if (changes.length === 0) printLine(terminal, 'nothing has changed that can change without a restart');
  if (needsRestart.length > 0) {
    printLine(terminal, `needs a restart of the gateway: ${needsRestart.join(', ')}`);
  }
}
