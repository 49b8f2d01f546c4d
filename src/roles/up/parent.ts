const CHECK_MS = 1_000;

/**
 * npm stands between the terminal and this process and may be killed alone, which nobody is told. So a start by
 * npm watches whose child it is, and ends in order when that changes. (The script says `exec`, so that npm itself is
 * the parent and no shell.)
 */
export function endWithParent(env: NodeJS.ProcessEnv): void {
  if (env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, CHECK_MS);
  timer.unref();
}
