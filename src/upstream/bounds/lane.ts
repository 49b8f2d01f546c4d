import { Chain, Link } from './chain.ts';

/** What a lane has to know of those who stand in it. */
export interface Standing {
  readonly tenant: string;
  /** Among those of its tenant. */
  readonly inLine: Link<this>;
  /** Among all of the lane. */
  readonly inLane: Link<this>;
}

/** Those of one tenant. */
class Line<Waiter extends Standing> {
  readonly waiters = new Chain<Waiter>();
  readonly turn: Link<Line<Waiter>> = new Link(this);
}

/** So many tenants are remembered without a thought. */
const LINES_KEPT_MIN = 64;

/** All who wait with one priority: tenants take turns, and within a tenant the first comes first. */
export class Lane<Waiter extends Standing> {
  readonly priority: number;
  /**
   * Also the lines of tenants who have nobody waiting now: making and deleting an entry for each request would wear
   * the table out.
   */
  #lines = new Map<string, Line<Waiter>>();
  #linesInUse = 0;
  /** The lines in use; the first one is next. */
  readonly #turns = new Chain<Line<Waiter>>();
  readonly #arrivals = new Chain<Waiter>();

  constructor(priority: number) {
    this.priority = priority;
  }

  get isEmpty(): boolean {
    return this.#linesInUse === 0;
  }

  get lastCome(): Waiter | undefined {
    return this.#arrivals.last;
  }

  add(waiter: Waiter): void {
    const line = this.#lineOf(waiter.tenant);
    if (!line.waiters.first) {
      this.#turns.append(line.turn);
      this.#linesInUse += 1;
    }
    line.waiters.append(waiter.inLine);
    this.#arrivals.append(waiter.inLane);
  }

  /** The one whose turn it is; it stays, but the next turn is another tenant's. */
  takeTurn(): Waiter | undefined {
    const line = this.#turns.first;
    if (!line) return undefined;
    this.#turns.remove(line.turn);
    this.#turns.append(line.turn);
    return line.waiters.first;
  }

  /** It must stand in this lane. */
  remove(waiter: Waiter): void {
    const line = this.#lineOf(waiter.tenant);
    line.waiters.remove(waiter.inLine);
    this.#arrivals.remove(waiter.inLane);
    if (line.waiters.first) return;
    this.#turns.remove(line.turn);
    this.#linesInUse -= 1;
  }

  #lineOf(tenant: string): Line<Waiter> {
    const known = this.#lines.get(tenant);
    if (known) return known;
    if (this.#lines.size >= LINES_KEPT_MIN && this.#lines.size > 2 * this.#linesInUse) this.#forgetUnused();
    const line = new Line<Waiter>();
    this.#lines.set(tenant, line);
    return line;
  }

  /** Half of them at least, so that it pays. */
  #forgetUnused(): void {
    this.#lines = new Map([...this.#lines].filter(([, line]) => line.waiters.first));
  }
}
