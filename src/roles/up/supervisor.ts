/** Keeps one child process up: starts it again after growing pauses when it dies, until it is told to stop. */
import type { Ready } from '../lifecycle.ts';
import { type ChildSpec, type Life, startChild } from './child.ts';

const PAUSES_MS = [250, 1_000, 2_000, 5_000, 10_000, 30_000];
/** A child that lived this long has no run of deaths behind it. */
const STEADY_MS = 60_000;
/** A child that has never been ready and died this often will not come. */
const FIRST_ATTEMPTS = 3;

export type StartResult =
  | { readonly ok: true; readonly ready: Ready }
  | { readonly ok: false; readonly problem: string; readonly lastLines: string };

export class Supervisor {
  readonly #spec: ChildSpec;
  /** Told one line about every death. */
  readonly #say: (line: string) => void;
  #life: Life | undefined;
  #stopping = false;
  #restarting = false;
  #endPause: () => void = () => {};
  #done: Promise<void> = Promise.resolve();

  constructor(spec: ChildSpec, say: (line: string) => void) {
    this.#spec = spec;
    this.#say = say;
  }

  /** Settles when the child is ready for the first time, or will not be. Call it once. */
  start(): Promise<StartResult> {
    return new Promise((resolve) => {
      this.#done = this.#keepUp(resolve);
    });
  }

  /** Ends this life of the child in order and begins the next without a pause. */
  async restart(): Promise<void> {
    if (this.#stopping) return;
    this.#restarting = true;
    this.#endPause();
    await this.#life?.end();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#endPause();
    await this.#life?.end();
    await this.#done;
  }

  signal(signal: NodeJS.Signals): void {
    this.#life?.signal(signal);
  }

  /** For the last moment of this process, when nothing can be waited for. */
  kill(): void {
    this.#stopping = true;
    this.#life?.signal('SIGKILL');
  }

  async #keepUp(started: (result: StartResult) => void): Promise<void> {
    let everReady = false;
    let deaths = 0;
    while (!this.#stopping) {
      const begunAtMs = performance.now();
      this.#restarting = false;
      const life = startChild(this.#spec);
      this.#life = life;
      const ready = await life.ready;
      if (ready) {
        if (everReady) this.#say(`${this.#spec.name} is ready again`);
        everReady = true;
        started({ ok: true, ready });
      }
      const cause = await life.ended;
      this.#life = undefined;
      if (this.#restarting) continue;
      if (this.#stopping) break;

      deaths = performance.now() - begunAtMs > STEADY_MS ? 1 : deaths + 1;
      if (!everReady && deaths === FIRST_ATTEMPTS) {
        started({ ok: false, problem: cause, lastLines: life.lastLines() });
        return;
      }
      const pauseMs = PAUSES_MS[Math.min(deaths, PAUSES_MS.length) - 1] ?? 0;
      this.#say(`${this.#spec.name} ended (${cause}); it starts again in ${pauseMs / 1_000} s`);
      await this.#pause(pauseMs);
    }
    started({ ok: false, problem: 'stopped', lastLines: '' });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
