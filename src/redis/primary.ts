/** The servers that take writes: who they are now, and whether they answer as such. */
import { Cluster, type Redis } from 'ioredis';
import type { RedisClient } from './options.ts';

/** The socket may be open on our side only (a host that vanished): then it is given up. */
const LOST_PROBES_MAX = 3;

export interface Primaries {
  /**
   * Asks each of them, all at once. In a Cluster the list is fetched anew before, when something was wrong.
   * @returns the connections, by which a new primary can be told from an old one
   * @throws why one of them does not answer, or not as a primary; waits at most twice the command time-out
   */
  probe(): Promise<readonly Redis[]>;
  /** Something has changed: do not trust the list. */
  doubt(): void;
}

export function watchPrimaries(client: RedisClient): Primaries {
  const lost = new WeakMap<Redis, number>();
  let doubted = false;

  const ask = async (node: Redis) => {
    try {
      const report = await node.info('replication');
      if (!/^role:master\r?$/m.test(report)) throw new Error('READONLY the server has become a replica');
      lost.delete(node);
    } catch (error) {
      const times = (lost.get(node) ?? 0) + 1;
      lost.set(node, times % LOST_PROBES_MAX);
      if (times === LOST_PROBES_MAX && node.status === 'ready') node.disconnect(node === client);
      throw error;
    }
  };

  const askAll = async (cluster: Cluster) => {
    if (doubted) await refreshed(cluster);
    const nodes = cluster.nodes('master');
    if (nodes.length === 0) throw new Error('the Cluster has no primary');
    await Promise.all(nodes.map(ask));
    doubted = false;
    return nodes;
  };

  return {
    async probe() {
      if (client.status !== 'ready') throw new Error('the connection is not open');
      if (!(client instanceof Cluster)) {
        await ask(client);
        return [client];
      }
      try {
        return await askAll(client);
      } catch (error) {
        doubted = true;
        // A connection that was merely cut is opened by the next look at the list.
        if (isTimeout(error)) throw error;
        return await askAll(client);
      }
    },
    doubt() {
      doubted = true;
    },
  };
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Command timed out';
}

function refreshed(cluster: Cluster): Promise<void> {
  return new Promise((resolve, reject) => {
    cluster.refreshSlotsCache((error) => (error ? reject(error) : resolve()));
  });
}

/** How many replicas follow, from what `INFO replication` says; one that is still loading cannot confirm a write. */
export function onlineReplicas(report: string): number {
  return report.match(/^slave\d+:.*\bstate=online\b/gm)?.length ?? 0;
}
