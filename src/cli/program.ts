import { Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { findAdmin } from './admin-address.ts';
import { AdminClient } from './admin-client.ts';
import { addCommands } from './commands.ts';
import { completionCommand } from './completion.ts';
import { CommandFailure } from './failure.ts';
import type { Session } from './session.ts';
import { printNote, type Terminal } from './terminal.ts';

/** What is run beside the operator commands; `src/main.ts` does it. */
const roles = [
  { word: 'gateway', description: 'answers clients' },
  { word: 'worker', description: 'runs jobs' },
  { word: 'simulator', description: 'a GPU server without a GPU, for trying things out' },
  {
    word: 'up',
    description: 'Redis, gateways and, where needed, the simulator on this machine; what npm start runs',
  },
  {
    word: 'backup',
    values: 'FILE|FOLDER',
    description: 'copies what Sluice keeps in Redis to a file, while everything goes on',
  },
  { word: 'restore', values: 'FILE', description: 'puts such a copy back into an empty Redis' },
];

const help = `
Roles, each a process of its own:
${roles.map(({ word, values = '', description }) => `  ${`${word} ${values}`.padEnd(20)}${description}`).join('\n')}

Operator commands speak to the admin API at SLUICE_ADMIN_URL (default http://127.0.0.1:8081)
with the token or an admin key in SLUICE_ADMIN_TOKEN or SLUICE_ADMIN_TOKEN_FILE, or with what npm start left in .sluice/.

Exit codes: 0 done; 1 it did not work; 2 it was called wrongly; 3 something is wrong with the cluster (status).`;

/** Runs an operator command. Returns the exit code, as the help says. */
export async function runProgram(argv: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0;
  const program = createProgram(terminal, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed its message by itself; its codes are 0 for help and version, 1 for the rest.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof CommandFailure)) throw error;
    printNote(terminal, `sluice: ${error.message}`);
    return error.exitCode;
  }
}

export function createProgram(terminal: Terminal, end: (exitCode: number) => void): Command {
  let admin: AdminClient | undefined;
  const session: Session = {
    terminal,
    admin: () => {
      admin ??= new AdminClient(findAdmin(terminal.env), (warning) => printNote(terminal, warning));
      return admin;
    },
  };

  const program = new Command('sluice')
    .description('OpenAI-compatible gateway cluster in front of GPU servers that you run yourself')
    .version(packageJson.version, '--version', 'print the version')
    .helpOption('--help', 'print help')
    .addHelpText('after', help)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
    });

  addCommands(program, session, end);
  completionCommand(program, roles, session);
  return program;
}
