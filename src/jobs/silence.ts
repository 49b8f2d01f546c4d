/**
 * Finds a worker that has gone silent: jobs wait, there is room for them, Redis answers, and nothing starts. Workers
 * have been seen like this after a connection came back.
 */

export interface SilenceWatch {
  /** A job has started: the worker lives. */
  started(): void;
  close(): void;
}

export interface SilenceSubject {
  /** Whether another job could start now, and Redis would give one. */
  hasRoom(): boolean;
  /** How many wait; undefined when Redis does not answer. */
  waiting(): Promise<number | undefined>;
  rebuild(): void;
  /** Rebuilding has not helped. Said once. */
  giveUp(): void;
}

export interface SilenceBounds {
  /** So long must it last at a stretch. */
  readonly silentMs: number;
  /** Rebuilt so often in vain, it is given up. */
  readonly rebuildsMax: number;
}

const LOOKS_PER_SILENCE = 5;

export function watchSilence(
  subject: SilenceSubject,
  { silentMs, rebuildsMax }: SilenceBounds,
): SilenceWatch {
  let looks = 0;
  let rebuilds = 0;
  let looking = false;
  let givenUp = false;

  const look = async () => {
    if (!subject.hasRoom()) return 0;
    return (await subject.waiting()) ? looks + 1 : 0;
  };

  const judge = () => {
    if (looks <= LOOKS_PER_SILENCE || givenUp) return;
    looks = 0;
    rebuilds += 1;
    if (rebuilds <= rebuildsMax) return subject.rebuild();
    givenUp = true;
    subject.giveUp();
  };

  const timer = setInterval(async () => {
    if (looking) return;
    looking = true;
    looks = await look();
    looking = false;
    judge();
  }, silentMs / LOOKS_PER_SILENCE).unref();

  return {
    started() {
      looks = 0;
      rebuilds = 0;
    },
    close: () => clearInterval(timer),
  };
}
