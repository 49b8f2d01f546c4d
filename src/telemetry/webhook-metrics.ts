import { Gauge, type Registry } from 'prom-client';
import type { MetricMaker } from './maker.ts';

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
  make: MetricMaker,
  survey: () => Promise<WebhookReading | undefined>,
): WebhookMetrics {
  const tries = make.tally('sluice_webhook_tries_total', 'Tries to deliver an event, by what came of them.', [
    'outcome',
  ]);
  for (const outcome of outcomes) tries.count(outcome, 0);
  const took = make.spread(
    'sluice_webhook_try_seconds',
    'From the beginning of a try to the status of the answer, or to giving up.',
    [],
    [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15],
  );
  const age = make.spread(
    'sluice_webhook_delivered_age_seconds',
    'From the end of a job to the delivery of its event.',
    [],
    [0.1, 0.5, 1, 2.5, 5, 10, 60, 600, 3_600, 21_600, 86_400],
  );
  const dead = new Gauge({
    name: 'sluice_webhook_dead_events',
    help: 'Events that were given up and can be replayed, of all tenants. The same at every worker.',
    registers: [registry],
    async collect() {
      const reading = await survey();
      if (!reading) {
        dead.remove();
        overdue.remove();
        return;
      }
      dead.set(reading.dead);
      overdue.set(reading.overdueMs / 1_000);
    },
  });
  // Written behind the other, which asks for both.
  const overdue = new Gauge({
    name: 'sluice_webhook_overdue_seconds',
    help: 'For how long a receiver with events due has waited for a worker. The same at every worker.',
    registers: [registry],
  });
  return {
    tried(outcome, tookSeconds, ageSeconds) {
      tries.count(outcome);
      took.add('', tookSeconds);
      if (outcome === 'delivered') age.add('', ageSeconds);
    },
  };
}
