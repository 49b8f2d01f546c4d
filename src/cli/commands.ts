/** All operator commands. */
import type { Command } from 'commander';
import { adminCommands } from './admins.ts';
import { auditCommands } from './audit.ts';
import { configCommands } from './config-commands.ts';
import { installationCommands } from './installation.ts';
import { jobCommands } from './jobs.ts';
import { keyImportCommand } from './key-import.ts';
import { keyCommands } from './keys.ts';
import { modelCommands } from './models.ts';
import { policyCommands } from './policies.ts';
import type { Session } from './session.ts';
import { signingKeyCommands } from './signing-keys.ts';
import { statusCommand } from './status.ts';
import { tenantCommands } from './tenants.ts';
import { topCommand } from './top.ts';
import { upstreamCommands } from './upstreams.ts';
import { usageCommands } from './usage.ts';
import { webhookCommands } from './webhooks.ts';

export function addCommands(program: Command, session: Session, end: (exitCode: number) => void): void {
  statusCommand(program, session, end);
  topCommand(program, session);
  const keys = program.command('keys').description('API keys');
  keyCommands(keys, session);
  keyImportCommand(keys, session);
  signingKeyCommands(keys, session);
  tenantCommands(program.command('tenants').description('who owns the keys'), session);
  webhookCommands(program.command('webhooks').description('who is told when jobs end'), session);
  usageCommands(program.command('usage').description('what a tenant has used'), session);
  upstreamCommands(program.command('upstreams').description('the GPU servers'), session);
  jobCommands(program.command('jobs').description('requests that run later'), session);
  adminCommands(program.command('admins').description('who may use the admin API'), session);
  auditCommands(program.command('audit').description('who has changed what'), session);
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
}
