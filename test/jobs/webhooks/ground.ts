/** What the tests of webhooks share: jobs that end, receivers that answer as told, and who brings the news. */
import { hash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { type Config, type ConfigInput, configSchema } from '../../../src/config/schema.ts';
import { webhookAdministration } from '../../../src/jobs/webhooks/administration.ts';
import { Mailroom } from '../../../src/jobs/webhooks/mailroom.ts';
import { secretBox } from '../../../src/jobs/webhooks/secrets.ts';
import { type JobTable, jobTable } from '../../../src/redis/job-table.ts';
import { connectQueue, type QueueConnection } from '../../../src/redis/queue-connection.ts';
import { type WebhookTable, webhookTable } from '../../../src/redis/webhook-table.ts';
import { parseHosts } from '../../../src/upstream/media-fetch.ts';
import type { Reach } from '../../../src/upstream/receiver.ts';
import { recordingLog } from '../../redis/ground.ts';
import { asEstimated, bounds, completed, got, jobOf, LINE } from '../../redis/jobs/ground.ts';

export const SECRET = 'a secret of at least 32 characters';

export interface Letter {
  readonly atMs: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Receiver {
  readonly url: string;
  readonly letters: readonly Letter[];
  /** Settles when so many have come. */
  got(count: number): Promise<readonly Letter[]>;
}

type Reply = { readonly status: number; readonly headers?: Record<string, string> } | 'silence';

/** @param reply to the letter with this number, counted from 0 */
export async function openReceiver(t: TestContext, reply: (number: number) => Reply): Promise<Receiver> {
  const letters: Letter[] = [];
  const waiting = new Set<() => void>();
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    const { url: path = '', headers } = request;
    const answer = reply(letters.length);
    letters.push({ atMs: performance.now(), path, headers: headers as Record<string, string>, body });
    if (answer !== 'silence') response.writeHead(answer.status, answer.headers).end();
    for (const look of waiting) look();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=planted`,
    letters,
    async got(count) {
      while (letters.length < count) {
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        await promise;
        waiting.delete(resolve);
      }
      return letters;
    },
  };
}

export interface Ground {
  readonly config: Config;
  readonly connection: QueueConnection;
  readonly jobs: JobTable;
  readonly table: WebhookTable;
  readonly administration: ReturnType<typeof webhookAdministration>;
  readonly lines: readonly string[];
  /** What came of tries, in order. */
  readonly outcomes: readonly string[];
  openMailroom(): Mailroom;
  /** Registers an endpoint. @returns its secret */
  register(tenant: string, url: string): Promise<string>;
  /** A job that completes now. */
  complete(id: string, tenant?: string): Promise<void>;
}

export async function webhookGround(
  t: TestContext,
  redisUrl: string,
  webhooks: ConfigInput['webhooks'] = {},
  resolve?: Reach['resolve'],
  // One test's leavings are no other's.
  prefix = `t${hash('sha1', t.name).slice(0, 12)}`,
): Promise<Ground> {
  const { log, lines } = recordingLog();
  const config = configSchema.parse({
    secret: SECRET,
    queue: { redis_url: redisUrl },
    redis: { command_timeout_ms: 5_000, prefix },
    // Receivers of tests are inside, on a port of their own.
    webhooks: { retry_pauses_seconds: [0.1, 0.2], ...webhooks },
  });
  const connection = connectQueue(config, log);
  const mailrooms: Mailroom[] = [];
  t.after(async () => {
    await Promise.all(mailrooms.map((mailroom) => mailroom.stop(0)));
    connection.close();
  });
  await connection.commands.reached();
  const jobs = jobTable(connection.commands);
  const table = webhookTable(connection.commands, config.webhooks.receiver_concurrency);
  const outcomes: string[] = [];
  const administration = webhookAdministration({
    table,
    box: secretBox(SECRET),
    reach: { hosts: parseHosts(config.webhooks.allowed_hosts), resolve },
    overlapSeconds: config.webhooks.overlap_seconds,
    hasTenant: async () => true,
    now: Date.now,
  });
  return {
    ...{ config, connection, jobs, table, administration, lines, outcomes },
    openMailroom() {
      const mailroom = new Mailroom({
        ...{ config, connection, log, resolve },
        onTry: (outcome) => outcomes.push(outcome),
        onSilent: () => undefined,
      });
      mailroom.start();
      mailrooms.push(mailroom);
      return mailroom;
    },
    async register(tenant, url) {
      const result = await administration.set(tenant, { url });
      if (!result.ok) throw new Error(result.refusal.message);
      return result.secret ?? '';
    },
    async complete(id, tenant = 'acme') {
      await complete(jobs, id, tenant);
      for (const mailroom of mailrooms) mailroom.wake();
    },
  };
}

async function complete(jobs: JobTable, id: string, tenant: string): Promise<void> {
  got(await jobs.accept(jobOf(id, { tenant }), bounds, Number.MAX_SAFE_INTEGER));
  got(await jobs.pick(LINE, 1));
  got(await jobs.start(id, 'run', 1));
  got(await jobs.finish(id, 1, completed, asEstimated));
}

/** For `webhooks.allowed_hosts`. */
export function hostOf(...receivers: readonly Receiver[]): string[] {
  return receivers.map(({ url }) => new URL(url).host);
}
