/** The generator and the upstream of a run, and how a load is put on a contestant. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Contestant } from './contestants.ts';
import type { CallLoad, CallResult, Load, StreamLoad, StreamResult, Target } from './load.ts';
import { FEEDING_CORE, nextMessage, startScript } from './processes.ts';
import type { PaceRequest } from './upstream.ts';

const STREAMS_GONE_TIMEOUT_MS = 10_000;

/** What is left to say once bench and contestant are known. */
type Unaimed<L extends Load> = Omit<L, 'kind' | 'target'>;

export interface Bench {
  readonly upstreamPort: number;
  calls(contestant: Contestant, load: Unaimed<CallLoad>): Promise<CallResult>;
  /** `tokensPerSecond` of each stream. */
  streams(contestant: Contestant, tokensPerSecond: number, load: Unaimed<StreamLoad>): Promise<StreamResult>;
}

export async function startBench(): Promise<Bench> {
  const upstream = await startScript(FEEDING_CORE, 'upstream.ts');
  const generator = await startScript(FEEDING_CORE, 'generator.ts');
  const feedingPids = [Number(upstream.child.pid), Number(generator.child.pid)];

  const target = ({ port, key, pids }: Contestant): Target => ({ port, key, pids, feedingPids });

  const run = async <Result>(load: Load): Promise<Result> => {
    const answered = nextMessage(generator.child, load.warmupMs + load.durationMs + 60_000);
    generator.child.send(load);
    const answer = (await answered) as Result & { failure?: string };
    if (answer.failure !== undefined) throw new Error(answer.failure);
    return answer;
  };

  return {
    upstreamPort: (upstream.ready as { port: number }).port,
    calls: (contestant, load) => run({ kind: 'calls', target: target(contestant), ...load }),
    async streams(contestant, tokensPerSecond, load) {
      await pace(upstream.child, { tokensPerSecond });
      const result = await run<StreamResult>({ kind: 'streams', target: target(contestant), ...load });
      await allStreamsGone(upstream.child, { tokensPerSecond });
      return result;
    },
  };
}

async function pace(upstream: ChildProcess, request: PaceRequest): Promise<number> {
  const answered = nextMessage(upstream);
  upstream.send(request);
  return ((await answered) as { openStreams: number }).openStreams;
}

/** The generator has left; a contestant that does not leave the upstream too would burden the next one's round. */
async function allStreamsGone(upstream: ChildProcess, request: PaceRequest): Promise<void> {
  const giveUpAt = Date.now() + STREAMS_GONE_TIMEOUT_MS;
  for (;;) {
    const open = await pace(upstream, request);
    if (open === 0) return;
    if (Date.now() > giveUpAt) throw new Error(`${open} upstream streams still run after their clients left`);
    await delay(50);
  }
}
