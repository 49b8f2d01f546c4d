/** What GPU servers say of their load, as it lies in Redis: asked by one replica, known to all. */
import type { Answer, RedisConnection } from './connection.ts';

export interface SharedReport {
  /** Redis' clock, when the server was asked; a whole number. */
  readonly atMs: number;
  readonly running: number;
  readonly waiting: number;
}

export interface LoadEntry {
  /** The replica that asks shall ask the server, and write what it hears. */
  readonly isClaimed: boolean;
  /** Undefined: there is none, or none of the last ten seconds. */
  readonly report: SharedReport | undefined;
}

export interface LoadRoll {
  /** Redis' clock. */
  readonly nowMs: number;
  /** In the order of the question. */
  readonly entries: readonly LoadEntry[];
}

export interface ServerToAsk {
  readonly name: string;
  /** A replica that has died with its claim is replaced after this time. */
  readonly claimMs: number;
}

export interface LoadTable {
  claim(servers: readonly ServerToAsk[]): Promise<Answer<LoadRoll>>;
  /**
   * Ends a claim.
   * @param dueMs Redis' clock, a whole number: when the server is to be asked again; at most a minute from now
   */
  write(server: string, dueMs: number, report: SharedReport | undefined): Promise<Answer<unknown>>;
}

const REPORT_AGE_MS_MAX = 10_000;
/** Twice the longest pause that a server gets. */
const ENTRY_KEPT_MS = 120_000;

export function loadTable({ ask, keys }: Pick<RedisConnection, 'ask' | 'keys'>): LoadTable {
  return {
    claim: (servers) =>
      ask(async (client) => {
        const asked = servers.flatMap(({ name, claimMs }) => [name, claimMs]);
        const [nowMs, ...answers] = await client.claimLoads(keys.loads(), ENTRY_KEPT_MS, ...asked);
        const entries = servers.map((_, index) => ({
          isClaimed: answers[2 * index] === 1,
          report: reportFrom(String(answers[2 * index + 1]), nowMs),
        }));
        return { nowMs, entries };
      }, 'cluster'),

    write: (server, dueMs, report) =>
      ask((client) => {
        const said = report && { at_ms: report.atMs, running: report.running, waiting: report.waiting };
        return client.hset(keys.loads(), server, JSON.stringify({ due_ms: dueMs, ...said }));
      }, 'cluster'),
  };
}

/** @param json of an object, as the script gives it; another release may have filled it */
function reportFrom(json: string, nowMs: number): SharedReport | undefined {
  const { at_ms: atMs, running, waiting } = JSON.parse(json);
  if (!isCount(atMs) || !isCount(running) || !isCount(waiting)) return undefined;
  return Math.abs(nowMs - atMs) <= REPORT_AGE_MS_MAX ? { atMs, running, waiting } : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
