import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const outcomes = ['delivered', 'retry', 'dead', 'gone', 'returned'] as const;

/** Asked of Redis when Prometheus asks; undefined: it does not answer. */
export interface WebhookReading {
  readonly dead: number;
  readonly overdueMs: number;
}

export interface WebhookMetrics {
  tried(outcome: (typeof outcomes)[number], tookSeconds: number, ageSeconds: number): void;
}

/** The metrics of webhooks, of a worker. No label comes from a tenant. */
export function webhookMetrics(
  registry: Registry,
  survey: () => Promise<WebhookReading | undefined>,
): WebhookMetrics {
  const registers = [registry];
  /** Do receivers take what they asked for? */
  const tries = new Counter({
    name: 'sluice_webhook_tries_total',
    help: 'Tries to deliver an event, by what came of them.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of outcomes) tries.inc({ outcome }, 0);
  /** Are receivers slow? */
  const took = new Histogram({
    name: 'sluice_webhook_try_seconds',
    help: 'From the beginning of a try to the status of the answer, or to giving up.',
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15],
    registers,
  });
  /** How late do receivers hear of the end of a job? */
  const age = new Histogram({
    name: 'sluice_webhook_delivered_age_seconds',
    help: 'From the end of a job to the delivery of its event.',
    buckets: [0.1, 0.5, 1, 2.5, 5, 10, 60, 600, 3_600, 21_600, 86_400],
    registers,
  });
  /** Is anything given up that an operator should look at, and does anybody deliver at all? */
  const dead = new Gauge({
    name: 'sluice_webhook_dead_events',
    help: 'Events that were given up and can be replayed, of all tenants. The same at every worker.',
    registers,
  });
  const overdue = new Gauge({
    name: 'sluice_webhook_overdue_seconds',
    help: 'For how long a receiver with events due has waited for a worker. The same at every worker.',
    registers,
    async collect() {
      const reading = await survey();
      if (!reading) return;
      overdue.set(reading.overdueMs / 1_000);
      dead.set(reading.dead);
    },
  });
  return {
    tried(outcome, tookSeconds, ageSeconds) {
      tries.inc({ outcome });
      took.observe(tookSeconds);
      if (outcome === 'delivered') age.observe(ageSeconds);
    },
  };
}
