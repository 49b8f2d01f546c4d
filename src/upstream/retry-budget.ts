/**
 * How often the calls of one pool may be tried again: with each of them sent once, all attempts together stay under
 * 1.2 × the requests, at every rate, for every pattern of arrivals, from the first request on.
 *
 * The proof is the construction: a retry uses up five requests, and each request is used up at most once. What was not
 * used lapses after ten seconds, so that a quiet hour cannot be spent in one storm, but it is enough to move all calls
 * that wait at a server that has frozen for three seconds.
 *
 * A pool with few requests would never have five of them within ten seconds. The usual floor (some retries a second
 * for nothing) breaks the bound just there: one request a second that fails would be tried four times. So here the
 * floor is saved, not given: of the requests that lapse, enough for ten retries are kept without a limit of time.
 *
 * When retries fail too, all servers are at fault and what was saved in good times would only add to their load. A
 * failed retry therefore costs five times as much: while everything fails, four retries come to a hundred requests.
 */
export class RetryBudget {
  readonly #now: () => number;
  /** All requests so far. */
  #requests = 0;
  /** So many of them, the oldest ones, are used up or have lapsed. */
  #gone = 0;
  /** Lapsed requests that still count, less the debt. It begins with one missing, so that attempts stay under the bound, not at it. */
  #saved = -1;
  #second: number;
  #denied = 0;
  /** All requests before each of the last seconds; a second's place is its number modulo the length. */
  readonly #before: number[] = new Array<number>(WINDOW_SECONDS).fill(0);

  /** @param now Milliseconds that never step back. */
  constructor(now: () => number) {
    this.#now = now;
    this.#second = Math.floor(now() / 1_000);
  }

  /** Retries that it has not allowed, since the beginning. */
  get denied(): number {
    return this.#denied;
  }

  /** A request has come whose first attempt goes to this pool. */
  request(): void {
    this.#advance();
    this.#requests += 1;
  }

  /** True takes one retry from the budget. */
  mayRetry(): boolean {
    this.#advance();
    if (this.#left < REQUESTS_PER_RETRY) {
      this.#denied += 1;
      return false;
    }
    this.#use(REQUESTS_PER_RETRY);
    return true;
  }

  /** An attempt that the budget had allowed has failed as well. Many at once make no more debt than one. */
  retryFailed(): void {
    this.#advance();
    this.#use(Math.max(0, Math.min(FAILED_RETRY_FINE, this.#left + FAILED_RETRY_FINE)));
  }

  get #left(): number {
    return this.#requests - this.#gone + this.#saved;
  }

  /** First of those that would lapse. */
  #use(requests: number): void {
    const fresh = Math.min(requests, this.#requests - this.#gone);
    this.#gone += fresh;
    this.#saved -= requests - fresh;
  }

  #advance(): void {
    const second = Math.floor(this.#now() / 1_000);
    if (second <= this.#second) return;
    if (second - this.#second > WINDOW_SECONDS) {
      this.#lapse(this.#requests);
      this.#before.fill(this.#requests);
    } else {
      for (let begun = this.#second + 1; begun <= second; begun += 1) {
        const at = begun % WINDOW_SECONDS;
        this.#lapse(this.#before[at] as number);
        this.#before[at] = this.#requests;
      }
    }
    this.#second = second;
  }

  /** All requests up to this one are too old. */
  #lapse(upTo: number): void {
    if (upTo <= this.#gone) return;
    this.#saved = Math.min(SAVED_REQUESTS_MAX, this.#saved + upTo - this.#gone);
    this.#gone = upTo;
  }
}

/** 20 %. */
const REQUESTS_PER_RETRY = 5;
/** In requests, besides the price of the retry itself. */
const FAILED_RETRY_FINE = 4 * REQUESTS_PER_RETRY;
/** Full seconds, besides the one that runs. */
const WINDOW_SECONDS = 10;
const SAVED_REQUESTS_MAX = 10 * REQUESTS_PER_RETRY;
