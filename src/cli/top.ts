/** `top`: the cluster as it is now, on the whole terminal. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { CommandFailure } from './failure.ts';
import { type AtOptions, atOption } from './process-option.ts';
import type { Session } from './session.ts';
import { printJson, printLine } from './terminal.ts';
import { type Figures, figuresOf } from './watch/figures.ts';
import { type FrameFacts, frameOf } from './watch/frame.ts';
import { askAll, findProcesses, type Round } from './watch/processes.ts';
import { readQueue } from './watch/queue.ts';
import { openScreen, type Screen, sizeOf } from './watch/screen.ts';
import { wireOf } from './watch/wire.ts';

interface TopOptions extends AtOptions {
  interval: number;
  once?: boolean;
  json?: boolean;
}

/** Rates are of this long, so that a second without a call does not read as an outage. */
const WINDOW_MS = 10_000;
const HISTORY_MAX = 120;
/** A frame for a pipe ends nowhere. */
const ROWS_OF_PIPE = 1_000;
const COLUMNS_OF_PIPE = 120;

export function topCommand(program: Command, session: Session): void {
  program
    .command('top')
    .description('watch requests, tokens, queue and GPU servers live; q ends it')
    .addOption(atOption())
    .option('--interval <seconds>', 'how often to look', interval, 1)
    .option('--once', 'print one frame, of one interval, and end')
    .option('--json', 'print that frame as JSON')
    .action((options: TopOptions) => top(session, options));
}

async function top(session: Session, { at, once, json, interval }: TopOptions): Promise<void> {
  const { terminal } = session;
  if (!once && !json && !terminal.stdout.isTTY) {
    throw new CommandFailure('top needs a terminal. With --once it prints one frame.', 2);
  }
  const urls = await findProcesses(at, terminal.env);
  const watch = new Watch(session, urls, interval * 1_000);
  const first = await watch.look();
  if (first.processes.length === 0) {
    const [silence] = first.silent;
    throw new CommandFailure(
      `${silence?.url} ${silence?.problem}. Is the gateway running? Set SLUICE_ADMIN_URL, or name it with --at.`,
    );
  }
  if (once || json) {
    await wait(interval * 1_000);
    const figures = await watch.look();
    if (json) return printJson(terminal, wireOf(figures));
    const size = terminal.stdout.isTTY
      ? sizeOf(terminal.stdout)
      : { columns: COLUMNS_OF_PIPE, rows: ROWS_OF_PIPE };
    return printLine(terminal, frameOf(terminal, watch.facts(figures), size).join('\n'));
  }
  const screen = openScreen(terminal);
  try {
    await live(session, watch, screen, first, interval * 1_000);
  } finally {
    screen.close();
  }
}

async function live({ terminal }: Session, watch: Watch, screen: Screen, first: Figures, intervalMs: number) {
  let figures = first;
  const draw = () => screen.draw(frameOf(terminal, watch.facts(figures), screen.size()));
  screen.onResize(draw);
  for (;;) {
    draw();
    await screen.wait(intervalMs);
    if (screen.hasEnded()) return;
    figures = await watch.look();
    if (screen.hasEnded()) return;
  }
}

/** Remembers what it needs to tell rates. */
class Watch {
  readonly #session: Session;
  readonly #urls: readonly string[];
  readonly #roundsMax: number;
  readonly #rounds: { readonly round: Round; readonly atMs: number }[] = [];
  readonly #history: number[] = [];
  #seconds = Number.NaN;

  constructor(session: Session, urls: readonly string[], intervalMs: number) {
    this.#session = session;
    this.#urls = urls;
    this.#roundsMax = Math.max(1, Math.floor(WINDOW_MS / intervalMs));
  }

  async look(): Promise<Figures> {
    const atMs = performance.now();
    const round = await askAll(this.#urls);
    const queue = await readQueue(this.#session.admin, round);
    const [oldest] = this.#rounds;
    const figures = figuresOf(round, oldest?.round, queue, Date.now());
    this.#seconds = oldest ? (atMs - oldest.atMs) / 1_000 : Number.NaN;
    const latest = figuresOf(round, this.#rounds.at(-1)?.round, undefined, Date.now());
    this.#history.push(latest.requestsPerSecond);
    this.#history.splice(0, this.#history.length - HISTORY_MAX);
    this.#rounds.push({ round, atMs });
    this.#rounds.splice(0, this.#rounds.length - this.#roundsMax);
    return figures;
  }

  facts(figures: Figures): FrameFacts {
    const time = new Date().toTimeString().slice(0, 8);
    return { figures, history: this.#history, seconds: this.#seconds, time };
  }
}

function interval(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds >= 0.2 && seconds <= 60) return seconds;
  throw new InvalidArgumentError('Give a number of seconds from 0.2 to 60.');
}
