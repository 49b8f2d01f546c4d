/** What the simulator has done and is doing, in numbers. */

export interface Counts {
  /** Calls of the model routes and of /predict; they end as finished or cancelled. */
  started: number;
  running: number;
  waiting: number;
  /** Ended by the simulator, by a fault too. */
  finished: number;
  /** The client left first. */
  cancelled: number;
  /** Open at this moment, and ever. */
  connections: number;
  connections_total: number;
  /** Answers of /metrics. */
  metrics_read: number;
}

export interface Ledger {
  readonly counts: Counts;
  promptTokens: number;
  cachedTokens: number;
  outputTokens: number;
  /** Prompt tokens of the calls that have not ended. */
  heldTokens: number;
  changed(): void;
  /** Resolves when `holds` is true, looked at with every change. */
  until(holds: (counts: Readonly<Counts>) => boolean): Promise<void>;
}

export function createLedger(): Ledger {
  const counts: Counts = {
    ...{ started: 0, running: 0, waiting: 0, finished: 0, cancelled: 0 },
    ...{ connections: 0, connections_total: 0, metrics_read: 0 },
  };
  let watchers: (() => boolean)[] = [];
  return {
    counts,
    promptTokens: 0,
    cachedTokens: 0,
    outputTokens: 0,
    heldTokens: 0,
    changed() {
      if (watchers.length > 0) watchers = watchers.filter((satisfied) => !satisfied());
    },
    until(holds) {
      return new Promise((resolve) => {
        const satisfied = () => {
          const holdsNow = holds(counts);
          if (holdsNow) resolve();
          return holdsNow;
        };
        if (!satisfied()) watchers.push(satisfied);
      });
    },
  };
}
