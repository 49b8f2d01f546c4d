import type { MetricMaker } from './maker.ts';

export interface RedisReading {
  readonly isUp: boolean;
  /** Questions without an answer. */
  readonly pending: number;
}

export interface RedisReadings {
  /** Keys, limits, usage. */
  limits(): RedisReading;
  /** Jobs. */
  queue(): RedisReading;
  /** Bodies of jobs, on the server of the queue. */
  payloads(): RedisReading;
}

const COMMAND_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5];

export class RedisMetrics {
  /** Is Redis slow? */
  readonly #commands;

  constructor(make: MetricMaker, readings: RedisReadings) {
    this.#commands = make.spread(
      'sluice_redis_command_seconds',
      'From putting a question to Redis to its answer, or to giving up.',
      ['kind', 'outcome'],
      COMMAND_SECONDS,
    );
    make.gauge('sluice_redis_up', '1 while the Redis of limits answers, 0 while it is done without.', () =>
      Number(readings.limits().isUp),
    );
    make.gauge('sluice_queue_redis_up', '1 while the Redis of jobs answers.', () =>
      Number(readings.queue().isUp),
    );
    make.gauges(
      'sluice_redis_questions_pending',
      'Questions to Redis that have no answer yet.',
      ['store'],
      (put) => {
        put({ store: 'limits' }, readings.limits().pending);
        put({ store: 'queue' }, readings.queue().pending);
        put({ store: 'payloads' }, readings.payloads().pending);
      },
    );
  }

  asked(kind: string, seconds: number, outcome: string): void {
    this.#commands.add(`${kind} ${outcome}`, seconds);
  }
}
