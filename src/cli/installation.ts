import type { Command } from 'commander';
import type { Session } from './session.ts';
import { printJson, printLine } from './terminal.ts';

interface Accepted {
  readonly id: string;
  readonly accepted_from: readonly string[];
}

/** Redis came back with other data, or none. */
export function installationCommands(installation: Command, session: Session): void {
  installation
    .command('accept')
    .description('work with the data that Redis has now, although others are missed')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const accepted = await session.admin().call<Accepted>('POST', '/installation/accept');
      if (json) printJson(session.terminal, accepted);
      else printLine(session.terminal, `Installation ${accepted.id} is accepted on every replica.`);
    });
}
