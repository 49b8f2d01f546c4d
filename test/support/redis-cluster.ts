/** A private Redis Cluster of three primaries and three replicas, gone when the test process is gone. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { until } from './gateway.ts';
import { startRedis, type TestRedis } from './redis.ts';

const PRIMARIES = 3;
const SIZE = 6;
const SLOTS = 16_384;
/** Its bus listens 10,000 above the port of a node. */
const BUS_OFFSET = 10_000;

export interface TestCluster {
  readonly url: string;
  readonly ports: readonly number[];
  /** Kills the primary of a slot on the spot, and says which port that was. */
  killPrimary(slot?: number): Promise<number>;
  /** Freezes it instead. */
  pausePrimary(slot?: number): Promise<number>;
  /** Brings a killed node back with its files, and a frozen one to life. */
  restart(port: number): Promise<void>;
  /** Settles when all slots are served, and each primary has a replica that follows. */
  untilWhole(): Promise<void>;
  /** Asks one node. */
  call(port: number, ...command: readonly [string, ...string[]]): Promise<unknown>;
  stop(): Promise<void>;
}

/** @param nodeTimeoutMs after which a silent primary is replaced */
export async function startRedisCluster(nodeTimeoutMs = 2_000): Promise<TestCluster> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-cluster-'));
  const ports = await freePorts();
  const servers = new Map<number, TestRedis>();
  const frozen = new Set<number>();
  const start = async (port: number) => {
    const extra = [
      ...['--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${port}.conf`],
      ...['--cluster-node-timeout', String(nodeTimeoutMs), '--cluster-announce-ip', '127.0.0.1'],
      ...['--dbfilename', `dump-${port}.rdb`, '--repl-diskless-sync-delay', '0'],
      // A replica is listed only when it has heard from its primary.
      ...['--repl-ping-replica-period', '1'],
    ];
    servers.set(port, await startRedis({ port, folder: root, extra }));
  };
  await Promise.all(ports.map(start));

  const call: TestCluster['call'] = async (port, ...[name, ...parameters]) => {
    const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: null });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await client.call(name, ...parameters);
    } finally {
      client.disconnect();
    }
  };
  const alive = () => ports.filter((port) => servers.has(port) && !frozen.has(port));

  const cluster: TestCluster = {
    url: `redis+cluster://${ports
      .slice(0, PRIMARIES)
      .map((port) => `127.0.0.1:${port}`)
      .join(',')}`,
    ports,
    call,
    async killPrimary(slot = 0) {
      const port = await primaryOf(call, alive(), slot);
      const server = servers.get(port);
      servers.delete(port);
      if (server) process.kill(server.pid, 'SIGKILL');
      await server?.stop();
      return port;
    },
    async pausePrimary(slot = 0) {
      const port = await primaryOf(call, alive(), slot);
      frozen.add(port);
      servers.get(port)?.pause();
      return port;
    },
    async restart(port) {
      if (!frozen.delete(port)) return start(port);
      servers.get(port)?.resume();
    },
    untilWhole: () => until(() => isWhole(call, alive()), 'the Cluster to be whole', 30_000),
    async stop() {
      await Promise.all([...servers.values()].map((server) => server.stop()));
      await rm(root, { recursive: true, force: true });
    },
  };
  await form(call, ports);
  await cluster.untilWhole();
  return cluster;
}

type Call = TestCluster['call'];

async function form(call: Call, ports: readonly number[]): Promise<void> {
  const [first = 0] = ports;
  const ids = await Promise.all(ports.map(async (port) => String(await call(port, 'cluster', 'myid'))));
  await Promise.all(
    ports.map(async (port, index) => {
      await call(port, 'cluster', 'set-config-epoch', String(index + 1));
      if (index >= PRIMARIES) return;
      const from = Math.ceil((index * SLOTS) / PRIMARIES);
      const to = Math.ceil(((index + 1) * SLOTS) / PRIMARIES) - 1;
      await call(port, 'cluster', 'addslotsrange', String(from), String(to));
    }),
  );
  for (const port of ports.slice(1)) await call(first, 'cluster', 'meet', '127.0.0.1', String(port));
  await Promise.all(
    ports.slice(PRIMARIES).map((port, index) =>
      until(async () => {
        const reply = await call(port, 'cluster', 'replicate', ids[index] ?? '').catch(() => undefined);
        return reply === 'OK';
      }, 'a replica to know its primary'),
    ),
  );
}

/** As every living node sees it. */
async function isWhole(call: Call, ports: readonly number[]): Promise<boolean> {
  const views = await Promise.all(
    ports.map(async (port) => {
      const state = String(await call(port, 'cluster', 'info'));
      const shares = (await call(port, 'cluster', 'slots')) as unknown[][];
      const replication = String(await call(port, 'info', 'replication'));
      const follows = /role:slave/.test(replication)
        ? /master_link_status:up/.test(replication)
        : /state=online/.test(replication);
      return /cluster_state:ok/.test(state) && shares.every((share) => share.length >= 4) && follows;
    }),
  ).catch(() => [false]);
  return views.every(Boolean);
}

async function primaryOf(call: Call, ports: readonly number[], slot: number): Promise<number> {
  for (const port of ports) {
    const shares = (await call(port, 'cluster', 'slots').catch(() => [])) as [
      number,
      number,
      [string, number],
    ][];
    const share = shares.find(([from, to]) => from <= slot && slot <= to);
    if (share && ports.includes(share[2][1])) return share[2][1];
  }
  throw new Error(`slot ${slot} has no living primary`);
}

/** Below the range from which the system hands out ports by itself, so that nobody takes the bus meanwhile. */
async function freePorts(): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < SIZE) {
    const port = 11_000 + Math.floor(Math.random() * 11_000);
    if (!found.has(port) && (await isFree(port)) && (await isFree(port + BUS_OFFSET))) found.add(port);
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
