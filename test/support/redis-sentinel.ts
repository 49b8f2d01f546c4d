/** A private primary with two replicas and three Sentinels, gone when the test process is gone. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { until } from './gateway.ts';
import { freePort, startRedis, startServer, type TestRedis } from './redis.ts';

const NAME = 'main';
const DATA_SERVERS = 3;
const SENTINELS = 3;

export interface TestSentinels {
  readonly url: string;
  readonly sentinelPorts: readonly number[];
  /** Kills the primary on the spot, and says which port that was. */
  killPrimary(): Promise<number>;
  pausePrimary(): Promise<number>;
  /** Brings a killed server back as an empty replica, and a frozen one to life. */
  restart(port: number): Promise<void>;
  /** Settles when the Sentinels agree on a primary that two replicas follow. */
  untilWhole(): Promise<void>;
  /** Asks one server. */
  call(port: number, ...command: readonly [string, ...string[]]): Promise<unknown>;
  primaryPort(): Promise<number>;
  stop(): Promise<void>;
}

export async function startSentinels({
  downAfterMs = 1_000,
  extra = [] as readonly string[],
} = {}): Promise<TestSentinels> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-sentinel-'));
  const servers = new Map<number, TestRedis>();
  const frozen = new Set<number>();
  const startData = async (port: number, primary?: number) => {
    const following = primary === undefined ? [] : ['--replicaof', '127.0.0.1', String(primary)];
    const own = ['--repl-diskless-sync-delay', '0', ...following, ...extra];
    servers.set(port, await startRedis({ port, extra: own }));
  };
  const ports: number[] = [];
  for (let index = 0; index < DATA_SERVERS; index += 1) {
    const port = await freePort();
    await startData(port, ports[0]);
    ports.push(port);
  }
  const [first = 0] = ports;
  const sentinels = new Map<number, TestRedis>();
  for (let index = 0; index < SENTINELS; index += 1) {
    const port = await freePort();
    const file = join(folder, `${port}.conf`);
    await writeFile(file, sentinelConfig(port, folder, first, downAfterMs));
    sentinels.set(port, await startServer(port, [file, '--sentinel']));
  }
  const sentinelPorts = [...sentinels.keys()];
  const primaryPort = async () => {
    const reply = await call(sentinelPorts[0] ?? 0, 'sentinel', 'get-master-addr-by-name', NAME);
    return Number((reply as string[])[1]);
  };

  const trio: TestSentinels = {
    url: `redis+sentinel://${sentinelPorts.map((port) => `127.0.0.1:${port}`).join(',')}/${NAME}`,
    sentinelPorts,
    call,
    primaryPort,
    async killPrimary() {
      const port = await primaryPort();
      const server = servers.get(port);
      servers.delete(port);
      if (server) process.kill(server.pid, 'SIGKILL');
      await server?.stop();
      return port;
    },
    async pausePrimary() {
      const port = await primaryPort();
      frozen.add(port);
      servers.get(port)?.pause();
      return port;
    },
    async restart(port) {
      if (!frozen.delete(port)) return startData(port, await primaryPort());
      servers.get(port)?.resume();
    },
    untilWhole: () => until(() => isWhole(sentinelPorts, servers), 'the Sentinels to agree', 30_000),
    async stop() {
      await Promise.all([...servers.values(), ...sentinels.values()].map((server) => server.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
  await trio.untilWhole();
  return trio;
}

function sentinelConfig(port: number, folder: string, primary: number, downAfterMs: number): string {
  return [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `logfile ""`,
    `sentinel monitor ${NAME} 127.0.0.1 ${primary} 2`,
    `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${NAME} 3000`,
    `sentinel parallel-syncs ${NAME} 2`,
    '',
  ].join('\n');
}

async function call(
  port: number,
  ...[name, ...parameters]: readonly [string, ...string[]]
): Promise<unknown> {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: null, protocol: 2 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await client.call(name, ...parameters);
  } finally {
    client.disconnect();
  }
}

async function isWhole(
  sentinels: readonly number[],
  servers: ReadonlyMap<number, TestRedis>,
): Promise<boolean> {
  const views = await Promise.all(
    sentinels.map(async (port) => {
      const reply = (await call(port, 'sentinel', 'master', NAME)) as string[];
      const field = (name: string) => reply[reply.indexOf(name) + 1];
      return { flags: field('flags'), port: field('port'), others: field('num-other-sentinels') };
    }),
  ).catch(() => []);
  const primary = views[0]?.port;
  if (!primary || !servers.has(Number(primary))) return false;
  if (!views.every((view) => view.flags === 'master' && view.port === primary && view.others === '2'))
    return false;
  const report = String(await call(Number(primary), 'info', 'replication').catch(() => ''));
  return /role:master/.test(report) && report.match(/state=online/g)?.length === DATA_SERVERS - 1;
}
