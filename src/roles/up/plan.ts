/** What a start will run, read from the command line, the environment and the configuration file. */
import { parseArgs } from 'node:util';
import { formatFault } from '../../config/fault.ts';
import { loadConfig } from '../../config/load.ts';
import { type Home, keptSecret } from './home.ts';
import { freePort } from './ports.ts';

const GATEWAYS_DEFAULT = 2;
const GATEWAYS_MAX = 64;
/** Beyond its own limits, for a gateway that closes its connections. */
const END_MARGIN_MS = 5_000;
/** So that each gateway leaves room beside its admin port for other roles' listeners. */
const ADMIN_PORT_STEP = 10;
/** Stands for the Redis that does not run yet; where it comes through, the operator has named none. */
const OWN_REDIS = 'redis://own.invalid';

export interface Plan {
  /** Gateways start again when the source changes. */
  readonly watch: boolean;
  readonly host: string;
  /** Shared by all gateways. */
  readonly port: number;
  readonly adminHost: string;
  /** One for each gateway. */
  readonly adminPorts: readonly number[];
  readonly adminToken: string;
  readonly needsRedis: boolean;
  readonly needsSimulator: boolean;
  /** How long calls may go on after the signal to end. */
  readonly drainMs: number;
  /** How long a gateway may take to end, all in all. */
  readonly gatewayEndMs: number;
  /** What the gateways need besides the operator's own environment. */
  readonly gatewayEnv: Readonly<Record<string, string>>;
  readonly logsToFolder: boolean;
}

/** Throws with one line for each fault. */
export async function makePlan(argv: readonly string[], env: NodeJS.ProcessEnv, home: Home): Promise<Plan> {
  const watch = readFlags(argv);
  const gateways = readGateways(env.GATEWAYS);
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
    adminHost: config.admin.host,
    adminPorts: await adminPorts(config.admin.host, config.admin.port, gateways),
    adminToken: config.admin.token ?? ownToken,
    needsRedis: config.redis.url === OWN_REDIS,
    needsSimulator: config.upstreams.length === 0,
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

function readGateways(text: string | undefined): number {
  if (text === undefined || text === '') return GATEWAYS_DEFAULT;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= GATEWAYS_MAX) return count;
  throw new Error(`GATEWAYS: must be a whole number from 1 to ${GATEWAYS_MAX}.`);
}

function adminPorts(host: string, first: number, count: number): Promise<number[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) =>
      first === 0 ? freePort(host) : first + index * ADMIN_PORT_STEP,
    ),
  );
}
