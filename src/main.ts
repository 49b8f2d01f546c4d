#!/usr/bin/env node
/** Reads the role from the command line. What is not a role is an operator command. */

interface Role {
  run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void>;
}

/** Loaded when asked for: no role pays for the libraries of another. */
const roles: Readonly<Record<string, () => Promise<Role>>> = {
  backup: () => import('./roles/backup.ts'),
  gateway: () => import('./roles/gateway.ts'),
  restore: () => import('./roles/restore.ts'),
  simulator: () => import('./roles/simulator.ts'),
  up: () => import('./roles/up.ts'),
  worker: () => import('./roles/worker.ts'),
};

async function main([name = '', ...rest]: readonly string[]): Promise<void> {
  const load = Object.hasOwn(roles, name) ? roles[name] : undefined;
  if (load) {
    const role = await load();
    return role.run(rest, process.env);
  }
  // `sluice keys list | head` closes the pipe early; that is no fault.
  process.stdout.on('error', () => process.exit());
  const { runProgram } = await import('./cli/program.ts');
  process.exitCode = await runProgram([name, ...rest].filter(Boolean), process);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error && process.env.SLUICE_DEBUG === '1' ? error.stack : undefined;
  process.stderr.write(`sluice: ${stack ?? message}\n`);
  process.exit(1);
});
