/**
 * How every role ends. The first SIGTERM or SIGINT, or the loss of the parent that started it (its IPC channel
 * closes, even when the parent was killed with -9), begins the drain; a second signal ends the process at once.
 * The same signal within a second counts once, because terminals and supervisors signal parent and child.
 *
 * Called before a role has started: as the first process of a container it would hear no signal until then.
 */

const SAME_SIGNAL_MS = 1_000;

interface Lifecycle {
  /** Must be bounded in time. The process exits when it is done, with 0, or with 1 if it throws. */
  drain(cause: string): Promise<void>;
  now?(): number;
}

export function endInOrder({ drain, now = Date.now }: Lifecycle): void {
  let begun: { signal: string; atMs: number } | undefined;

  const begin = (signal: string) => {
    if (begun) {
      const repeated = begun.signal === signal && now() - begun.atMs < SAME_SIGNAL_MS;
      if (!repeated && signal !== 'disconnect') process.exit(1);
      return;
    }
    begun = { signal, atMs: now() };
    drain(signal).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };

  process.on('SIGTERM', begin);
  process.on('SIGINT', begin);
  if (process.send) process.on('disconnect', () => begin('disconnect'));
  if (process.connected === false) begin('disconnect');
}

export interface Ready {
  readonly type: 'ready';
  readonly role: string;
  /** Addresses as a person would type them: `http://127.0.0.1:8080`. */
  readonly listening: Readonly<Record<string, string>>;
}

/** Tells the parent, if there is one, that this process serves. */
export function announceReady(role: string, listening: Record<string, string>): void {
  const ready: Ready = { type: 'ready', role, listening };
  process.send?.(ready);
}
