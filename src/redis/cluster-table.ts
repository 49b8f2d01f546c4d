/** What the replicas say of themselves, and the name of the data that they share. */
import type { Answer, RedisConnection } from './connection.ts';

/** What a replica says. Another release may have written it. */
export interface ReplicaReport {
  /** Redis' clock. */
  readonly at_ms: number;
  readonly version: string;
  /** Of the limits, while Redis is away. */
  readonly has_share: boolean;
  /** Calls that each upstream works on for this replica, by the upstream's name. */
  readonly in_flight: Readonly<Record<string, number>>;
}

export interface Roll {
  /** Redis' clock. */
  readonly nowMs: number;
  /** By id of the replica, which asks among them. */
  readonly reports: ReadonlyMap<string, ReplicaReport>;
}

/** Names the data in Redis. Whoever has known other data doubts these, until an operator accepts them. */
export interface InstallationRecord {
  readonly id: string;
  /** Ids of data that running replicas miss; empty when all is well. */
  readonly doubted_by: readonly string[];
  /** Ids of data that an operator has given up for these; the newest last. */
  readonly accepted_from: readonly string[];
}

export interface FoundInstallation {
  /** As it lies in Redis; '': there is none. */
  readonly text: string;
  /** Undefined: there is none, or it cannot be read. */
  readonly record: InstallationRecord | undefined;
}

export interface ClusterTable {
  /** Says that this replica lives; who else does. Takes out those that have been silent for longer than `keptMs`. */
  report(id: string, own: Omit<ReplicaReport, 'at_ms'>, keptMs: number): Promise<Answer<Roll>>;
  leave(id: string): Promise<Answer<unknown>>;
  installation(): Promise<Answer<FoundInstallation>>;
  /** False when it is not what was found any more; then nothing is written. */
  replaceInstallation(found: FoundInstallation, record: InstallationRecord): Promise<Answer<boolean>>;
}

export function clusterTable({ ask, keys }: RedisConnection): ClusterTable {
  return {
    report: (id, own, keptMs) =>
      ask(async (client) => {
        const [nowMs, ...pairs] = await client.heartbeat(keys.replicas(), id, JSON.stringify(own), keptMs);
        const reports = new Map<string, ReplicaReport>();
        for (let index = 0; index + 1 < pairs.length; index += 2) {
          reports.set(String(pairs[index]), readReport(JSON.parse(String(pairs[index + 1]))));
        }
        return { nowMs, reports };
      }, 'cluster'),

    leave: (id) => ask((client) => client.hdel(keys.replicas(), id), 'cluster'),

    installation: () =>
      ask(async (client) => {
        const text = (await client.get(keys.installation())) ?? '';
        return { text, record: readInstallation(text) };
      }, 'cluster'),

    replaceInstallation: ({ text }, record) =>
      ask(async (client) => {
        const written = await client.swapText(keys.installation(), text, JSON.stringify(record));
        return written === 1;
      }, 'cluster'),
  };
}

function readReport(report: unknown): ReplicaReport {
  const { at_ms, version, has_share, in_flight } = Object(report);
  const counts = Object.entries(Object(in_flight)).filter(
    (entry): entry is [string, number] =>
      typeof entry[1] === 'number' && Number.isFinite(entry[1]) && entry[1] >= 0,
  );
  return {
    at_ms: Number(at_ms),
    version: String(version),
    // An older release has gateways only, and does not say.
    has_share: has_share !== false,
    in_flight: Object.fromEntries(counts),
  };
}

/** Undefined: nothing that this release can read. */
export function readInstallation(text: string): InstallationRecord | undefined {
  try {
    const { id, doubted_by, accepted_from } = Object(JSON.parse(text));
    if (typeof id !== 'string' || id === '') return undefined;
    return { id, doubted_by: strings(doubted_by), accepted_from: strings(accepted_from) };
  } catch {
    return undefined;
  }
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
