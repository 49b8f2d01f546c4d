/** `status`: what a gateway says of itself and of what it needs. */
import type { Command } from 'commander';
import { CommandFailure } from './failure.ts';
import type { Session } from './session.ts';
import { printFields, printJson } from './terminal.ts';

interface OutputOptions {
  json?: boolean;
}

interface Readiness {
  readonly status: string;
  readonly gateway: string;
  readonly redis: string;
  /** An earlier release does not say it. */
  readonly queue?: string;
  readonly upstreams: Readonly<Record<string, string>>;
}

export function clusterCommands(program: Command, session: Session): void {
  program
    .command('status')
    .description('ask a gateway how it, Redis and the GPU servers are; exit 1 when something is wrong')
    .option('--json', 'print JSON')
    .action((options: OutputOptions) => status(session, options));
}

async function status({ admin, terminal }: Session, { json }: OutputOptions): Promise<void> {
  const readiness = await admin().readiness<Readiness>();
  const { gateway, redis, queue = 'ok', upstreams } = readiness;
  if (json) printJson(terminal, readiness);
  else {
    const servers = Object.entries(upstreams).map(([name, health]) => [`upstream ${name}`, health]);
    printFields(terminal, { gateway, redis, 'redis of jobs': queue, ...Object.fromEntries(servers) });
  }
  const ill = Object.values(upstreams).filter((health) => health !== 'healthy').length;
  if (gateway !== 'ok') throw new CommandFailure(`the gateway is ${gateway}.`);
  if (redis !== 'ok') throw new CommandFailure(`Redis is ${redis}.`);
  if (queue !== 'ok') throw new CommandFailure(`the Redis of jobs is ${queue}.`);
  if (ill > 0) throw new CommandFailure(`${ill} of ${Object.keys(upstreams).length} upstreams cannot serve.`);
}
