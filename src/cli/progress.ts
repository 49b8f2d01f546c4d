/** How far long work is: a bar for a person, a line now and then for a log. */

export interface Progress {
  /** @param share from 0 to 1, more is shown as 1; undefined: nobody knows how much there is */
  show(share: number | undefined, text: string): void;
  end(): void;
}

type Screen = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>;

const BAR_WIDTH = 30;
const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 5_000;
/** A guess at the rest is worth nothing before. */
const GUESS_AFTER_MS = 3_000;
const COLUMNS_DEFAULT = 80;

/** @param now monotonic, in milliseconds */
export function progressOn(screen: Screen, now: () => number = () => performance.now()): Progress {
  const everyMs = screen.isTTY ? BAR_EVERY_MS : LINE_EVERY_MS;
  const beganAtMs = now();
  let shownAtMs = beganAtMs;
  let isDrawn = false;
  return {
    show(share, text) {
      const nowMs = now();
      if (nowMs - shownAtMs < everyMs) return;
      shownAtMs = nowMs;
      const done = share === undefined ? undefined : Math.min(1, Math.max(0, share));
      const told = `${text}${restText(done, nowMs - beganAtMs)}`;
      if (!screen.isTTY) {
        screen.write(done === undefined ? `${told}\n` : `${percentOf(done)}, ${told}\n`);
        return;
      }
      const line = done === undefined ? told : `${bar(done)} ${percentOf(done)}  ${told}`;
      isDrawn = true;
      // A line that wraps could not be written over.
      screen.write(`\r\x1b[K${line.slice(0, (screen.columns || COLUMNS_DEFAULT) - 1)}`);
    },
    end() {
      if (isDrawn) screen.write('\r\x1b[K');
      isDrawn = false;
    },
  };
}

/** For output that a bar would run through. */
export const noProgress: Progress = { show: () => {}, end: () => {} };

function bar(done: number): string {
  const filled = Math.round(done * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`;
}

function percentOf(done: number): string {
  return `${Math.floor(done * 100)} %`;
}

/** As if the rest went as fast as what is done. */
function restText(done: number | undefined, elapsedMs: number): string {
  if (done === undefined || done <= 0 || done >= 1 || elapsedMs < GUESS_AFTER_MS) return '';
  const seconds = Math.ceil((elapsedMs * (1 - done)) / done / 1_000);
  return `, ${seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`} left`;
}
