/**
 * The numbers at which something is wrong: the colours of the panels and the alerts of deploy/prometheus/rules say
 * the same. A test holds them together.
 */
export const thresholds = {
  /** Share of requests that end without a failure of a GPU server or of the gateway. */
  availability: 0.999,
  /** Share of streams whose first token comes within `firstTokenSeconds`; a bucket of the histogram. */
  firstTokenShare: 0.95,
  firstTokenSeconds: 2.5,
  /** Share of requests to which the gateway itself adds at most `overheadSeconds`; a bucket of the histogram. */
  overheadShare: 0.99,
  overheadSeconds: 0.05,
  /**
   * How many times faster than allowed the budget of errors may burn, over a long and a short window: 2 % of that of
   * 30 days in an hour, 5 % in six hours, 10 % in three days.
   */
  burnRates: [
    { rate: 14.4, long: '1h', short: '5m', severity: 'page' },
    { rate: 6, long: '6h', short: '30m', severity: 'page' },
    { rate: 1, long: '3d', short: '6h', severity: 'ticket' },
  ],
  /** Fewer exceptions than this, or failed jobs, are no reason to wake anybody, whatever share they are. */
  exceptionsMin: 5,
  /** Of the requests for one model, those that end with a failure of a GPU server or of the gateway. */
  modelFailuresShare: 0.1,
  /** Refused by limits, of all decisions, and that many times what was usual in the day before. */
  refusedShare: 0.2,
  refusedTimesUsual: 3,
  refusedPerSecondMin: 0.5,
  /** Settlements that Redis has not confirmed, of one replica. */
  settlementsWaiting: 1_000,
  /** Redis answers admissions later than this at the 99th percentile. */
  redisSeconds: 0.05,
  /** Calls that a pool has, of those that it bears. */
  poolUsed: 0.9,
  /** How often a GPU server is taken out of its pools within an hour. */
  ejectionsPerHour: 5,
  /** Since the oldest job that waits was accepted. */
  queueAgeSeconds: 600,
  queueAgePageSeconds: 3_600,
  /** Jobs that failed, of those that ended. */
  jobsFailedShare: 0.05,
  /** Jobs that workers lose to others within half an hour. */
  jobLocksLost: 3,
  /** A receiver with events due has waited for a worker. */
  webhookOverdueSeconds: 120,
  /** Starts of one process within half an hour. */
  restarts: 3,
  /** Delay of the event loop at the 99th percentile. */
  eventLoopSeconds: 0.1,
  /** Open, of those that a process may have. */
  descriptorsUsed: 0.8,
  /** Until a certificate ends. */
  certificateDays: 14,
  certificatePageDays: 3,
} as const;
