import type { ServerResponse } from 'node:http';
import type { JobWatch } from '../../jobs/watch.ts';

/** What has happened to a job since somebody last looked. Begins when it is made. */
export class News {
  readonly #unfollow: () => void;
  #jobChanged = false;
  /** The attempt of which there are new pieces. */
  #piecesOf = 0;
  #isOver = false;
  #wake: () => void = () => {};

  /** @param response when it closes there are no more news */
  constructor(watch: Pick<JobWatch, 'follow'>, id: string, response: ServerResponse) {
    this.#unfollow = watch.follow(
      id,
      ({ attempt, pieces }) => {
        if (pieces === undefined) this.#jobChanged = true;
        else this.#piecesOf = attempt;
        this.#wake();
      },
      { pieces: true },
    );
    response.once('close', () => this.stop());
  }

  /**
   * Waits until there is something new; at once where there is already.
   * @returns `job` too where pieces are those of another attempt, or there will be no more news
   */
  async next(attempt: number): Promise<'job' | 'pieces'> {
    if (!this.#jobChanged && this.#piecesOf === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const isPieces = !this.#jobChanged && this.#piecesOf === attempt && !this.#isOver;
    this.#jobChanged = false;
    this.#piecesOf = 0;
    return isPieces ? 'pieces' : 'job';
  }

  stop(): void {
    this.#isOver = true;
    this.#unfollow();
    this.#wake();
  }
}
