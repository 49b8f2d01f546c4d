import { Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { findAdmin } from './admin-address.ts';
import { AdminClient } from './admin-client.ts';
import { clusterCommands } from './cluster.ts';
import { configCommands } from './config-commands.ts';
import { CommandFailure } from './failure.ts';
import { installationCommands } from './installation.ts';
import { jobCommands } from './jobs.ts';
import { keyImportCommand } from './key-import.ts';
import { keyCommands } from './keys.ts';
import { modelCommands } from './models.ts';
import { policyCommands } from './policies.ts';
import type { Session } from './session.ts';
import { tenantCommands } from './tenants.ts';
import { printNote, type Terminal } from './terminal.ts';
import { upstreamCommands } from './upstreams.ts';
import { usageCommands } from './usage.ts';
import { webhookCommands } from './webhooks.ts';

const roles = `
Roles, each a process of its own:
  gateway             answers clients
  worker              runs jobs
  simulator           a GPU server without a GPU, for trying things out
  up                  Redis, gateways and, where needed, the simulator on this machine; what npm start runs
  backup FILE|FOLDER  copies what Sluice keeps in Redis to a file, while everything goes on
  restore FILE        puts such a copy back into an empty Redis

Operator commands speak to the admin API at SLUICE_ADMIN_URL (default http://127.0.0.1:8081)
with the token in SLUICE_ADMIN_TOKEN or SLUICE_ADMIN_TOKEN_FILE, or with what npm start left in .sluice/.`;

/** Runs an operator command. Returns the exit code: 0, 1 (it did not work) or 2 (it was called wrongly). */
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

function createProgram(terminal: Terminal, end: (exitCode: number) => void): Command {
  let admin: AdminClient | undefined;
  const session: Session = {
    terminal,
    admin: () => {
      admin ??= new AdminClient(findAdmin(terminal.env));
      return admin;
    },
  };

  const program = new Command('sluice')
    .description('OpenAI-compatible gateway cluster in front of GPU servers that you run yourself')
    .version(packageJson.version, '--version', 'print the version')
    .helpOption('--help', 'print help')
    .addHelpText('after', roles)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
    });

  const keys = program.command('keys').description('API keys');
  keyCommands(keys, session);
  keyImportCommand(keys, session);
  tenantCommands(program.command('tenants').description('who owns the keys'), session);
  webhookCommands(program.command('webhooks').description('who is told when jobs end'), session);
  usageCommands(program.command('usage').description('what a tenant has used'), session);
  upstreamCommands(program.command('upstreams').description('the GPU servers'), session);
  jobCommands(program.command('jobs').description('requests that run later'), session);
  clusterCommands(program, session);
  installationCommands(
    program.command('installation').description('the data in Redis, after they were lost'),
    session,
  );
  policyCommands(
    program.command('policies').description('what requests may ask for, beyond limits'),
    session,
  );
  modelCommands(program.command('models').description('what clients may ask for'), session);
  configCommands(program.command('config').description('the configuration'), session, end);
  return program;
}
