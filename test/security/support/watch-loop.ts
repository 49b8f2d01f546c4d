/**
 * Preloaded into a gateway: how long its event loop was busy, in all and at most without a break, in CPU time of its thread, so
 * that what else runs on the machine hardly counts. Whoever sends it a message gets both as one, and they begin anew.
 */
const EVERY_MS = 1;

if (process.send) {
  let longestUs = 0;
  let totalUs = 0;
  let last = process.threadCpuUsage();
  const timer = setInterval(() => {
    const now = process.threadCpuUsage();
    const spentUs = now.user + now.system - last.user - last.system;
    longestUs = Math.max(longestUs, spentUs);
    totalUs += spentUs;
    last = now;
  }, EVERY_MS);
  timer.unref();
  process.on('message', () => {
    process.send?.({ longestMs: longestUs / 1_000, totalMs: totalUs / 1_000 });
    longestUs = 0;
    totalUs = 0;
  });
  // Who listens would keep the process alive.
  process.channel?.unref();
}
