/** GPU servers as the order sees them: so many places, and jobs that take their cost at a fixed rate. Time is made up. */
import { asEstimated, BEGIN_MS, completed, type Ground, got, LINE } from './ground.ts';

export interface Done {
  readonly id: string;
  readonly tenant: string;
  readonly cost: number;
  readonly beginsMs: number;
  readonly endsMs: number;
}

export interface Workshop {
  readonly done: readonly Done[];
  nowMs(): number;
  /** Runs what waits, until that says so or nothing is left. Told of each job when it begins. */
  run(onBegin?: (job: Done) => 'go on' | 'stop'): Promise<void>;
}

const TOKENS_PER_MS = 1;

/** @param costs by job: what it really takes */
export function workshopOf(ground: Ground, places: number, costs: ReadonlyMap<string, number>): Workshop {
  const { table, setTime } = ground;
  const done: Done[] = [];
  let running: Done[] = [];
  let nowMs = BEGIN_MS;

  const begin = async (onBegin: (job: Done) => 'go on' | 'stop'): Promise<boolean> => {
    for (const { id, tenant } of got(await table.pick(LINE, places - running.length))) {
      await table.start(id, 'run', 1);
      const cost = costs.get(id) ?? Number.NaN;
      const job = { id, tenant, cost, beginsMs: nowMs, endsMs: nowMs + cost / TOKENS_PER_MS };
      running.push(job);
      if (onBegin(job) === 'stop') return false;
    }
    return running.length > 0;
  };

  return {
    done,
    nowMs: () => nowMs,
    async run(onBegin = () => 'go on') {
      while (await begin(onBegin)) {
        nowMs = Math.min(...running.map(({ endsMs }) => endsMs));
        setTime(nowMs);
        const ended = running.filter(({ endsMs }) => endsMs <= nowMs);
        running = running.filter(({ endsMs }) => endsMs > nowMs);
        for (const job of ended) await table.finish(job.id, 1, completed, asEstimated);
        done.push(...ended);
      }
    },
  };
}
