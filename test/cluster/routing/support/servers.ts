/** Simulated GPU servers, in processes of their own: they can be frozen and killed as real ones. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Ready } from '../../../../src/roles/lifecycle.ts';
import type { FaultRule, Switches } from '../../../../src/simulator/faults.ts';
import type { Counts } from '../../../../src/simulator/ledger.ts';
import { MODEL } from '../../outage/support/load.ts';

const main = fileURLToPath(new URL('../../../../src/main.ts', import.meta.url));

/** More than any of the calls asks for. */
const TOKENS = 10_000;

export interface Server {
  readonly name: string;
  readonly url: string;
  counts(): Promise<Counts>;
  /** Later rules lie over earlier ones. */
  harm(...faults: readonly (FaultRule | Switches)[]): Promise<void>;
  heal(): Promise<void>;
  /** Connections are accepted by the system, and nobody answers. */
  freeze(): void;
  thaw(): void;
  kill(): Promise<void>;
}

export async function startServer(name: string, tokenMs: number): Promise<Server> {
  const pace = ['--tokens', String(TOKENS), '--token-ms', String(tokenMs)];
  const child = fork(main, ['simulator', '--port', '0', '--model', MODEL, ...pace], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [{ listening }] = (await once(child, 'message')) as [Ready];
  const { api: url = '' } = listening;
  const faults = async (method: string, body?: unknown) => {
    const answer = await fetch(`${url}/sim/faults`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (answer.status !== 200) throw new Error(await answer.text());
  };
  return {
    name,
    url,
    counts: async () => (await (await fetch(`${url}/sim/state`)).json()) as Counts,
    harm: (...wanted) => faults('POST', wanted),
    heal: () => faults('DELETE'),
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    kill: () => kill(child),
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
