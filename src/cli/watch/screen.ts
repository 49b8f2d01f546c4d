/** The whole terminal for a while: what stood there before comes back, however the process ends. */
import type { Terminal } from '../terminal.ts';
import type { FrameSize } from './frame.ts';

export interface Screen {
  size(): FrameSize;
  draw(lines: readonly string[]): void;
  /** After the terminal has another size. */
  onResize(redraw: () => void): void;
  /** Resolves after the time, or at once when the user wants to leave. */
  wait(ms: number): Promise<void>;
  /** Whether q, Ctrl-C or a signal has come. */
  hasEnded(): boolean;
  close(): void;
}

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const REST_OF_LINE = '\x1b[K';
const REST_OF_SCREEN = '\x1b[J';
const SIZE_DEFAULT: FrameSize = { columns: 80, rows: 24 };
/** q, Q, Ctrl-C, Ctrl-D. */
const endKeys = ['q', 'Q', '\x03', '\x04'];
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function openScreen({ stdin, stdout }: Pick<Terminal, 'stdin' | 'stdout'>): Screen {
  const ended = new AbortController();
  const end = () => ended.abort();
  const onKey = (keys: Buffer) => {
    const typed = keys.toString('latin1');
    if (endKeys.some((key) => typed.includes(key))) end();
  };
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    for (const signal of signals) process.off(signal, end);
    process.off('exit', close);
    stdin.off('data', onKey);
    stdout.removeAllListeners('resize');
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
    stdout.write(LEAVE);
  };
  for (const signal of signals) process.on(signal, end);
  // Also where the program fails: what it says of that must not vanish with the other screen.
  process.on('exit', close);
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.on('data', onKey);
  stdout.write(ENTER);
  return {
    size: () => sizeOf(stdout),
    draw(lines) {
      const text = lines.map((line) => line + REST_OF_LINE).join('\r\n');
      if (isOpen) stdout.write(HOME + text + REST_OF_SCREEN);
    },
    onResize: (redraw) => void stdout.on('resize', redraw),
    wait: (ms) => waitFor(ms, ended.signal),
    hasEnded: () => ended.signal.aborted,
    close,
  };
}

/** Terminals that do not know their size say 0. */
export function sizeOf({ columns, rows }: Partial<FrameSize>): FrameSize {
  return { columns: columns || SIZE_DEFAULT.columns, rows: rows || SIZE_DEFAULT.rows };
}

function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
