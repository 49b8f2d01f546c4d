/** Jobs that wait, of the whole cluster. */
import { setTimeout as wait } from 'node:timers/promises';
import type { AdminClient } from '../admin-client.ts';
import type { Round } from './processes.ts';

export interface QueueState {
  readonly waiting: number;
  /** In the workers' hands. */
  readonly handed: number;
  readonly oldestSeconds: number | null;
  /** Whether an operator has stopped it. */
  readonly drained: boolean;
}

const ASK_TIMEOUT_MS = 3_000;

interface QueueAnswer {
  readonly drained_at: string | null;
  readonly lines: readonly {
    readonly waiting: number;
    readonly handed: number;
    readonly oldest_seconds: number | null;
  }[];
}

/** By the admin API, else by what a worker says in its metrics; undefined: nobody says. */
export async function readQueue(admin: () => AdminClient, round: Round): Promise<QueueState | undefined> {
  if (round.readings.length === 0) return undefined;
  const tooLate = wait(ASK_TIMEOUT_MS, undefined, { ref: false });
  try {
    const answer = await Promise.race([admin().call<QueueAnswer>('GET', '/jobs/queue'), tooLate]);
    return answer ? stateOf(answer) : queueOfWorkers(round);
  } catch {
    // No token, or no Redis: the rest is worth showing.
    return queueOfWorkers(round);
  }
}

function stateOf({ drained_at, lines }: QueueAnswer): QueueState {
  const oldest = lines.flatMap(({ oldest_seconds }) => oldest_seconds ?? []);
  return {
    waiting: lines.reduce((sum, line) => sum + line.waiting, 0),
    handed: lines.reduce((sum, line) => sum + line.handed, 0),
    oldestSeconds: oldest.length > 0 ? Math.max(...oldest) : null,
    drained: drained_at !== null,
  };
}

/** Every worker tells of the whole queue. */
function queueOfWorkers({ readings }: Round): QueueState | undefined {
  const samples = readings.find((one) => one.samples.value('sluice_jobs_drained') !== undefined)?.samples;
  if (!samples) return undefined;
  const sum = (name: string) => samples.of(name).reduce((total, { value }) => total + value, 0);
  const waiting = sum('sluice_jobs_waiting');
  const oldest = samples.of('sluice_jobs_oldest_seconds').map(({ value }) => value);
  return {
    waiting,
    handed: sum('sluice_jobs_handed'),
    oldestSeconds: waiting > 0 && oldest.length > 0 ? Math.round(Math.max(...oldest)) : null,
    drained: samples.value('sluice_jobs_drained') === 1,
  };
}
