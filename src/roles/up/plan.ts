/** What a start will run, read from the command line, the environment and the configuration file. */
import { parseArgs } from 'node:util';
import { formatFault } from '../../config/fault.ts';
import { loadConfig } from '../../config/load.ts';
import { type Home, keptSecret } from './home.ts';
import { freePort } from './ports.ts';

const GATEWAYS_DEFAULT = 2;
const GATEWAYS_MAX = 64;
const WORKERS_DEFAULT = 1;
const WORKERS_MAX = 64;
/** Beyond its own limits, for a gateway that closes its connections. */
const END_MARGIN_MS = 5_000;
/** So that each gateway leaves room beside its admin port for other roles' listeners. */
const ADMIN_PORT_STEP = 10;
/** From the admin port of a gateway to that of the worker of the same number. */
const WORKER_PORT_OFFSET = 1;
/** Stands for the Redis that does not run yet; where it comes through, the operator has named none. */
const OWN_REDIS = 'redis://own.invalid';

export interface Plan {
  /** Gateways start again when the source changes. */
  readonly watch: boolean;
  readonly host: string;
  /** Shared by all gateways. */
  readonly port: number;
  /** Whether that is the port of HTTPS. */
  readonly speaksTls: boolean;
  readonly adminHost: string;
  /** One for each gateway. */
  readonly adminPorts: readonly number[];
  /** One for each worker. */
  readonly workerPorts: readonly number[];
  readonly adminToken: string;
  readonly needsRedis: boolean;
  readonly needsSimulator: boolean;
  /** Of the file, the first that takes a POST. */
  readonly routePath: string | undefined;
  /** How long calls may go on after the signal to end. */
  readonly drainMs: number;
  /** How long a gateway, or a worker, may take to end, all in all. */
  readonly gatewayEndMs: number;
  /** What gateways and workers need besides the operator's own environment. */
  readonly gatewayEnv: Readonly<Record<string, string>>;
  readonly logsToFolder: boolean;
}

/** Throws with one line for each fault. */
export async function makePlan(argv: readonly string[], env: NodeJS.ProcessEnv, home: Home): Promise<Plan> {
  const watch = readFlags(argv);
  const gateways = readCount('GATEWAYS', env.GATEWAYS, {
    usual: GATEWAYS_DEFAULT,
    min: 1,
    max: GATEWAYS_MAX,
  });
  const workers = readCount('WORKERS', env.WORKERS, { usual: WORKERS_DEFAULT, min: 0, max: WORKERS_MAX });
  const secret = keptSecret(home.secretFile);
  const ownToken = keptSecret(home.adminTokenFile);
  const loaded = loadConfig({
    env,
    defaults: { secret, admin: { token: ownToken }, redis: { url: OWN_REDIS } },
  });
  if (!loaded.ok)
    throw new Error(`The configuration has faults.\n${loaded.faults.map(formatFault).join('\n')}`);
  const { config } = loaded;
  const drainMs = config.drain.limit_seconds * 1_000;

  const gatewayEnv: Record<string, string> = {};
  if (config.secret === secret) gatewayEnv.SLUICE_SECRET = secret;
  if (config.admin.token === ownToken) gatewayEnv.SLUICE_ADMIN_TOKEN = ownToken;
  return {
    watch,
    host: config.listen.host,
    port: config.listen.port || (await freePort(config.listen.host)),
    speaksTls: config.listen.tls !== undefined,
    adminHost: config.admin.host,
    adminPorts: await portsFrom(config.admin.host, config.admin.port, gateways),
    workerPorts: await portsFrom(
      config.admin.host,
      config.admin.port && config.admin.port + WORKER_PORT_OFFSET,
      workers,
    ),
    adminToken: config.admin.token ?? ownToken,
    needsRedis: config.redis.url === OWN_REDIS,
    needsSimulator: config.upstreams.length === 0,
    routePath: config.routes.find(({ methods }) => methods.includes('POST'))?.path,
    drainMs,
    gatewayEndMs: drainMs + config.drain.quiet_seconds * 1_000 + END_MARGIN_MS,
    gatewayEnv,
    logsToFolder: config.log.file === undefined,
  };
}

function readFlags(argv: readonly string[]): boolean {
  const { values } = parseArgs({ args: [...argv], options: { watch: { type: 'boolean', default: false } } });
  return values.watch;
}

function readCount(
  name: string,
  text: string | undefined,
  { usual, min, max }: { readonly usual: number; readonly min: number; readonly max: number },
): number {
  if (text === undefined || text === '') return usual;
  const count = Number(text);
  if (Number.isInteger(count) && count >= min && count <= max) return count;
  throw new Error(`${name}: must be a whole number from ${min} to ${max}.`);
}

/** @param first 0: any free ones */
function portsFrom(host: string, first: number, count: number): Promise<number[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      first === 0 ? freePort(host) : first + index * ADMIN_PORT_STEP,
    ),
  );
}
