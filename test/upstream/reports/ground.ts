/** Replicas in this process that ask simulated GPU servers for their load, over a Redis of their own. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { RedisConnection } from '../../../src/redis/connection.ts';
import { createSimulator, type Simulator } from '../../../src/simulator/server.ts';
import { LoadReports } from '../../../src/upstream/reports/load-reports.ts';
import { Upstream } from '../../../src/upstream/upstream.ts';
import { quiet } from '../../admission/ground.ts';

export async function simulated(t: TestContext): Promise<Simulator & { readonly url: string }> {
  const simulator = createSimulator();
  const { url } = await simulator.listen('127.0.0.1', 0);
  t.after(() => simulator.close());
  return { ...simulator, url };
}

/** A server of the test's own; its address. */
export async function serving(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Well, as a replica sees it; closed with the test. */
export function upstreamAt(t: TestContext, name: string, url: string): Upstream {
  const upstream = new Upstream({ name, url, apiKey: 'key-of-the-server', discover: false, gpus: 1 });
  upstream.serverHealth.probed('ok', performance.now());
  t.after(() => upstream.close());
  return upstream;
}

/** A replica that begins at once; ends with the test. */
export function replica(t: TestContext, redis: RedisConnection, upstreams: readonly Upstream[]): LoadReports {
  const byName = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
  const reports = new LoadReports({
    redis,
    upstreams: () => byName,
    now: () => performance.now(),
    random: firstNone(),
    log: quiet,
  });
  t.after(() => reports.stop());
  reports.start();
  return reports;
}

function firstNone(): () => number {
  let isFirst = true;
  return () => {
    const drawn = isFirst ? 0 : Math.random();
    isFirst = false;
    return drawn;
  };
}
