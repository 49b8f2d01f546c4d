import type { Call } from '../core/call.ts';
import type { MetricMaker } from './maker.ts';
import type { Spread } from './spread.ts';
import type { Tally } from './tally.ts';

const PROBE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What becomes of the calls and probes that are sent to GPU servers. */
export class AttemptMetrics {
  readonly #attempts: Tally;
  readonly #replays: Tally;
  readonly #probes: Spread;

  constructor(make: MetricMaker) {
    this.#attempts = make.tally(
      'sluice_upstream_attempts_total',
      'Calls sent to a GPU server, by what became of them.',
      ['upstream', 'result'],
    );
    this.#replays = make.tally('sluice_upstream_replays_total', 'Calls sent to a GPU server again.', [
      'upstream',
    ]);
    this.#probes = make.spread(
      'sluice_upstream_probe_seconds',
      'From the beginning of a probe to its answer, or to giving up.',
      ['upstream', 'result'],
      PROBE_SECONDS,
    );
  }

  /** Of an ended call; of those that share one upstream call, the one that has made it. */
  ended(call: Call): void {
    const { attempts, upstream, failedAttempts, status } = call;
    if (attempts === 0 || upstream === undefined || call.answeredFrom !== 'upstream') return;
    for (const failed of failedAttempts) this.#attempts.count(withoutStatus(failed));
    if (failedAttempts.length < attempts) {
      this.#attempts.count(`${upstream} ${status === 0 || status >= 500 ? 'given_up' : 'answered'}`);
    }
    if (attempts > 1) this.#replays.count(upstream, attempts - 1);
  }

  probed(upstream: string, result: string, seconds: number): void {
    this.#probes.add(`${upstream} ${result}`, seconds);
  }
}

/** `gpu-1 502` becomes `gpu-1 http_5xx`: a server may say any number. */
function withoutStatus(failed: string): string {
  return failed.replace(/ ([1-9])\d\d$/, ' http_$1xx');
}
