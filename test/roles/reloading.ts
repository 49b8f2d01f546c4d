/** A gateway whose configuration file a test rewrites. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { stringify } from 'yaml';
import type { ConfigInput } from '../../src/config/schema.ts';
import { ADMIN_TOKEN, startGateway, type TestGateway, until } from '../support/gateway.ts';

export interface ReloadLine {
  readonly msg: string;
  readonly cause: string;
  readonly changes?: readonly { readonly what: string; readonly change: string }[];
  readonly needs_restart?: readonly string[];
  readonly faults?: readonly string[];
}

export interface Reloading {
  readonly gateway: TestGateway;
  readonly file: string;
  /** For the command line. */
  readonly env: Readonly<Record<string, string>>;
  write(config: Omit<ConfigInput, 'secret'> | string): Promise<void>;
  /** Asks through the admin API. */
  reload(): ReturnType<TestGateway['admin']>;
  /** Asks by SIGHUP, and waits for what the log says of it. */
  signal(): Promise<ReloadLine>;
}

export async function startReloading(
  t: TestContext,
  config: Omit<ConfigInput, 'secret'>,
): Promise<Reloading> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-reload-'));
  const file = join(folder, 'sluice.yaml');
  // As editors and orchestrators do: a reader sees the old file or the new one.
  const write: Reloading['write'] = async (content) => {
    await writeFile(`${file}.new`, typeof content === 'string' ? content : stringify(content));
    await rename(`${file}.new`, file);
  };
  await write(config);
  const gateway = await startGateway({ env: { SLUICE_CONFIG: file } });
  t.after(async () => {
    await gateway.stop();
    await rm(folder, { recursive: true });
  });
  const signalled = async () => {
    const lines = (await gateway.logText()).split('\n').filter((line) => line.includes('"cause":"signal"'));
    return lines.map((line) => JSON.parse(line) as ReloadLine);
  };
  return {
    gateway,
    file,
    env: { SLUICE_ADMIN_URL: gateway.adminUrl, SLUICE_ADMIN_TOKEN: ADMIN_TOKEN },
    write,
    reload: () => gateway.admin('POST', '/config/reload'),
    async signal() {
      const before = (await signalled()).length;
      gateway.process.kill('SIGHUP');
      await until(async () => (await signalled()).length > before, 'the reload');
      return (await signalled()).at(-1) as ReloadLine;
    },
  };
}
