/** A worker in a process of its own, to be killed and frozen. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../../../src/main.ts', import.meta.url));

export interface WorkerProcess {
  readonly name: string;
  readonly process: ChildProcess;
  /** Settles when it is gone. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Everything that it has written so far. */
  logText(): Promise<string>;
}

/** @param name it shows the GPU server as its key @param logFile a new one */
export async function startWorkerProcess(
  name: string,
  logFile: string,
  env: NodeJS.ProcessEnv,
): Promise<WorkerProcess> {
  const child = fork(main, ['worker'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { PATH: process.env.PATH, ADMIN_PORT: '0', LOG_FILE: logFile, GPU_KEY: name, ...env },
  });
  const ended = once(child, 'exit');
  const ready = await Promise.race([once(child, 'message'), ended.then(() => undefined)]);
  if (!ready) throw new Error(`worker ${name} did not start: ${await readFile(logFile, 'utf8')}`);
  return {
    name,
    process: child,
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    logText: () => readFile(logFile, 'utf8'),
  };
}
