/** A real worker beside the gateways of a test. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { ConfigInput } from '../../../src/config/schema.ts';
import type { Ready } from '../../../src/roles/lifecycle.ts';
import type { TestRedis } from '../../support/redis.ts';

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

export interface TestWorker {
  readonly adminUrl: string;
  stop(): Promise<void>;
}

/** Keys are those of `startGateway`. */
export async function startWorker(
  redis: TestRedis,
  config: Omit<ConfigInput, 'secret'>,
  env: NodeJS.ProcessEnv = {},
): Promise<TestWorker> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-worker-'));
  const configFile = join(folder, 'sluice.yaml');
  await writeFile(configFile, stringify(config));
  const child = fork(main, ['worker'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      ...{ ADMIN_PORT: '0', SLUICE_SECRET: 'a-secret-for-tests-only-0123456789abcdef' },
      ...{ SLUICE_CONFIG: configFile, REDIS_URL: redis.url, LOG_FILE: join(folder, 'worker.log') },
      ...env,
    },
  });
  const ended = once(child, 'exit');
  const ready = await Promise.race([once(child, 'message'), ended.then(() => undefined)]);
  if (!ready) throw new Error('the worker did not start');
  return {
    adminUrl: (ready as [Ready])[0].listening.admin ?? '',
    async stop() {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
