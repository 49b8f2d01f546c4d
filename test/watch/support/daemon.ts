/** A program of the system that serves HTTP, for one test file; gone when the test process is gone, however that ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { until } from '../../support/gateway.ts';
import { programPath } from '../../support/programs.ts';

export interface Daemon {
  stop(): Promise<void>;
}

const READY_LIMIT_MS = 30_000;
/** Ends the program when the pipe from the test process closes. What the shell itself would say of that nobody needs. */
const guard = `
  exec 3<&0 </dev/null 4>&2 2>/dev/null
  "$@" 2>&4 3<&- 4>&- & server=$!
  ( cat <&3 >/dev/null; kill -KILL "$server" ) 4>&- &
  wait "$server"
`;

/** @param readyAddress answers with success once it serves; waited for */
export async function startDaemon(
  program: string,
  args: readonly string[],
  readyAddress: string,
): Promise<Daemon> {
  const path = programPath(program) ?? program;
  const child = spawn('sh', ['-c', guard, 'sh', path, ...args], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const isReady = () =>
    fetch(readyAddress).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(isReady, program, READY_LIMIT_MS);
  return {
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}
