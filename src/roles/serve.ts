/** What all roles with a listener do alike. */
import type { AddressInfo, ListenOptions } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { formatFault } from '../config/fault.ts';
import { type LoadResult, loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { createLog, type Log } from '../telemetry/log.ts';

/** What the last calls have cost goes to Redis before the process leaves. */
export const SETTLE_LIMIT_MS = 2_000;
/** And their spans to the collector. */
export const TRACES_LIMIT_MS = 2_000;

export interface Begun {
  readonly config: Config;
  readonly log: Log;
  readonly load: () => LoadResult;
}

/** Reads the configuration and opens the log. @throws with one line for each fault */
export function beginRole(role: string, given: Parameters<typeof loadConfig>[0]): Begun {
  const load = () => loadConfig(given);
  const loaded = load();
  if (!loaded.ok)
    throw new Error(`The configuration has faults.\n${loaded.faults.map(formatFault).join('\n')}`);
  const log = createLog(loaded.config.log, { role, pid: process.pid });
  for (const warning of loaded.warnings) log.logger.warn(formatFault(warning));
  failLoudly(log);
  return { config: loaded.config, log, load };
}

/** @returns the address as a person would type it */
export async function listenOn(app: FastifyInstance, options: ListenOptions): Promise<string> {
  await app.ready();
  await new Promise<void>((resolve, reject) => {
    app.server.once('error', reject);
    app.server.listen(options, () => {
      app.server.removeListener('error', reject);
      resolve();
    });
  });
  const { address, family, port } = app.server.address() as AddressInfo;
  const shown = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address;
  const scheme = app.server instanceof TlsServer ? 'https' : 'http';
  return `${scheme}://${family === 'IPv6' && shown !== '127.0.0.1' ? `[${shown}]` : shown}:${port}`;
}

/** A fault that nobody caught leaves an unknown state: say it, and let the supervisor start a new process. */
function failLoudly(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.logger.fatal({ error: error.message, stack: error.stack }, 'uncaught exception');
    log.flush();
    process.exit(1);
  });
}
