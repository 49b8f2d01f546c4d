import type { CallEnd } from '../../core/call.ts';
import type { Refusal } from '../../core/errors.ts';
import { Watch } from '../watchdog.ts';
import { TapeRoom } from './answer-tape.ts';
import { SharedCall, type SharedCallParts } from './shared-call.ts';

type Opening = Omit<SharedCallParts, 'watch' | 'room' | 'over' | 'cannotBeJoined'> & {
  /** Once: the server has no more to do with it. */
  over(how: CallEnd): void;
};

/** For all answers together; where it is used up, answers are not kept and cannot be joined late. */
const BYTES_IN_ALL_MAX = 134_217_728;

/** The upstream calls of this replica that callers share, or that go on without them. */
export class SharedCalls {
  /** Over the time limits of those who listen, and of those to whom stored answers are played. */
  readonly watch = new Watch();
  readonly #room = new TapeRoom(BYTES_IN_ALL_MAX);
  readonly #joinable = new Map<string, SharedCall>();
  readonly #running = new Set<SharedCall>();

  /** Those whose server has not finished. */
  get size(): number {
    return this.#running.size;
  }

  /** One under way that can still be joined. */
  find(key: string): SharedCall | undefined {
    return this.#joinable.get(key);
  }

  /** A new one, which others with the same key may join from now on. It waits for its `begin`. */
  open(key: string, opening: Opening): SharedCall {
    const call: SharedCall = new SharedCall({
      ...opening,
      watch: this.watch,
      room: this.#room,
      over: (how) => {
        this.#running.delete(call);
        opening.over(how);
      },
      cannotBeJoined: () => {
        if (this.#joinable.get(key) === call) this.#joinable.delete(key);
      },
    });
    this.#running.add(call);
    this.#joinable.set(key, call);
    return call;
  }

  /** Ends what is left. */
  breakOff(refused: Refusal): void {
    for (const call of [...this.#running]) call.breakOff(refused);
  }
}
