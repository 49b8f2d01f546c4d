/** A gateway, a worker and a GPU server that have had calls of every kind, and what they tell of it. */
import type { ConfigInput } from '../../../src/config/schema.ts';
import { createSimulator } from '../../../src/simulator/server.ts';
import { startWorker } from '../../http/jobs/worker-process.ts';
import { startGateway, type TestGateway, until } from '../../support/gateway.ts';
import { startRedis } from '../../support/redis.ts';

export const MODEL = 'glm';
/** A prompt with this word is answered with 500. */
const FAILS = 'please-fail';

export interface BusyProcesses {
  readonly gateway: TestGateway;
  readonly workerAdminUrl: string;
}

/** @param ends what has been started, to be ended in the opposite order */
export async function busyProcesses(ends: AsyncDisposableStack): Promise<BusyProcesses> {
  const redis = await startRedis();
  ends.defer(() => redis.stop());
  const simulator = createSimulator({ models: [MODEL] });
  simulator.state.addFault({ prompt: FAILS, status: 500 });
  ends.defer(() => simulator.close());
  const { url } = await simulator.listen('127.0.0.1', 0);
  const config: Omit<ConfigInput, 'secret'> = {
    upstreams: [{ name: 'gpu', url, max_in_flight: 8, capacity: 4 }],
    models: [
      {
        name: MODEL,
        upstreams: ['gpu'],
        prices: { input_per_million_usd: 1, output_per_million_usd: 2 },
      },
    ],
    drain: { quiet_seconds: 0, limit_seconds: 5 },
  };
  const gateway = await startGateway({ config, redis });
  ends.defer(() => gateway.stop());
  const worker = await startWorker(redis, config);
  ends.defer(() => worker.stop());
  await makeCalls(gateway);
  const hasRun = async () => (await textOf(worker.adminUrl)).includes('sluice_tenant_jobs_total{');
  await until(hasRun, 'the job in the metrics of the worker');
  return { gateway, workerAdminUrl: worker.adminUrl };
}

/** Two whole answers, a stream, one that fails, two refused at limits, one without a key, a job. */
async function makeCalls(gateway: TestGateway): Promise<void> {
  const limits = { requests_per_minute: 100, tokens_per_minute: 100_000, max_concurrent: 10 };
  const { key } = await gateway.createKey({ tenant: 'acme', limits });
  const { key: few } = await gateway.createKey({ tenant: 'few', limits: { requests_per_minute: 1 } });
  for (const text of ['one', 'two', FAILS]) await ask(gateway, key, { text });
  await ask(gateway, key, { text: 'stream', more: { stream: true } });
  for (const _ of [1, 2, 3]) await ask(gateway, few, { text: 'refused' });
  await ask(gateway, 'nobody', { text: 'unknown' });
  await ask(gateway, key, { text: 'later', headers: { prefer: 'respond-async' } });
}

async function ask(
  { url }: TestGateway,
  key: string,
  {
    text,
    more = {},
    headers = {},
  }: { text: string; more?: Record<string, unknown>; headers?: Record<string, string> },
): Promise<void> {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: text }], ...more }),
  });
  await answer.text();
}

/** What Prometheus would read. */
export async function textOf(adminUrl: string): Promise<string> {
  return (await fetch(`${adminUrl}/metrics`)).text();
}
