/** Webhooks, as gateways administer them and workers deliver them. */
import type { KeyStore } from '../admission/keys/key-store.ts';
import type { Config } from '../config/schema.ts';
import { type WebhookAdministration, webhookAdministration } from '../jobs/webhooks/administration.ts';
import { Mailroom } from '../jobs/webhooks/mailroom.ts';
import { secretBox } from '../jobs/webhooks/secrets.ts';
import type { QueueConnection } from '../redis/queue-connection.ts';
import { webhookTable } from '../redis/webhook-table.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { webhookMetrics } from '../telemetry/webhook-metrics.ts';
import { parseHosts } from '../upstream/media-fetch.ts';

export function createWebhookAdministration(
  { secret, webhooks }: Pick<Config, 'secret' | 'webhooks'>,
  { commands }: Pick<QueueConnection, 'commands'>,
  keys: Pick<KeyStore, 'getTenant'>,
): WebhookAdministration {
  return webhookAdministration({
    table: webhookTable(commands, webhooks.receiver_concurrency),
    box: secretBox(secret),
    reach: { hosts: parseHosts(webhooks.allowed_hosts) },
    overlapSeconds: webhooks.overlap_seconds,
    async hasTenant(name) {
      const found = await keys.getTenant(name);
      if (found.ok) return true;
      return found.refusal.name === 'not_found' ? false : undefined;
    },
    now: Date.now,
  });
}

interface MailroomParts {
  readonly config: Config;
  readonly connection: QueueConnection;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly onSilent: () => void;
}

export function createMailroom({ config, connection, metrics, log, onSilent }: MailroomParts): Mailroom {
  const table = webhookTable(connection.commands, config.webhooks.receiver_concurrency);
  const { tried } = webhookMetrics(metrics.registry, metrics.make, async () => {
    const answer = await table.survey(Date.now());
    return answer.ok ? answer.value : undefined;
  });
  return new Mailroom({ config, connection, log, onTry: tried, onSilent });
}
