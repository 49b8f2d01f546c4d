/** How far it is: a bar for a person, a line now and then for a log. */

export interface Progress {
  /** @param share from 0 to 1; more is shown as 1 */
  show(share: number, text: string): void;
  end(): void;
}

type Screen = Pick<NodeJS.WriteStream, 'write' | 'isTTY'>;

const BAR_WIDTH = 30;
const BAR_EVERY_MS = 100;
const LINE_EVERY_MS = 5_000;

export function progressOn(screen: Screen, now: () => number = () => performance.now()): Progress {
  const everyMs = screen.isTTY ? BAR_EVERY_MS : LINE_EVERY_MS;
  let shownMs = now();
  return {
    show(share, text) {
      if (now() - shownMs < everyMs) return;
      shownMs = now();
      const done = Math.min(1, Math.max(0, share));
      const percent = `${Math.floor(done * 100)} %`;
      if (!screen.isTTY) return void screen.write(`${percent}, ${text}\n`);
      const filled = Math.round(done * BAR_WIDTH);
      screen.write(`\r\x1b[K[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${percent}  ${text}`);
    },
    end() {
      if (screen.isTTY) screen.write('\r\x1b[K');
    },
  };
}
