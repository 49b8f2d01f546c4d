/** The calls that run and those that wait for a place, as a GPU server's scheduler has them. */
import type { Ledger } from './ledger.ts';

export interface Runner {
  readonly promptTokens: number;
  start(): void;
}

export interface RunQueue {
  /** Starts the call at once, or in its turn when a place is free. */
  enter(runner: Runner): void;
  /** To be called once for every call that entered, started or not. */
  leave(runner: Runner, outcome: 'finished' | 'cancelled', outputTokens: number): void;
}

export function createRunQueue(runningMax: number, ledger: Ledger): RunQueue {
  const { counts } = ledger;
  const line: Runner[] = [];

  const start = (runner: Runner) => {
    counts.running++;
    runner.start();
  };

  return {
    enter(runner) {
      counts.started++;
      ledger.promptTokens += runner.promptTokens;
      ledger.heldTokens += runner.promptTokens;
      if (counts.running < runningMax) {
        start(runner);
      } else {
        counts.waiting++;
        line.push(runner);
      }
      ledger.changed();
    },
    leave(runner, outcome, outputTokens) {
      counts[outcome]++;
      ledger.heldTokens -= runner.promptTokens;
      ledger.outputTokens += outputTokens;
      const position = line.length === 0 ? -1 : line.indexOf(runner);
      if (position >= 0) {
        line.splice(position, 1);
        counts.waiting--;
      } else {
        counts.running--;
        const first = line.shift();
        if (first) {
          counts.waiting--;
          start(first);
        }
      }
      ledger.changed();
    },
  };
}
