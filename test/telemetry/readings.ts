/** What a process at rest has to say. */
import { Metrics, type Readings } from '../../src/telemetry/metrics.ts';

const redis = { isUp: true, pending: 0 };

export const atRest: Readings = {
  redis: { limits: () => redis, queue: () => redis, payloads: () => redis },
  requestsInFlight: () => 0,
  streamsOpen: () => 0,
  draining: () => false,
  ticketsOpen: () => 0,
  settlementsWaiting: () => 0,
  replicas: () => 1,
  installationLost: () => false,
  callsWaiting: () => 0,
  config: () => ({ isLastOk: true, sinceMs: 0 }),
  upstreams: () => [],
  models: () => [],
};

export function metricsOf(readings: Partial<Readings> = {}, tenantsMax = 100): Metrics {
  return new Metrics({ ...atRest, ...readings }, { version: '0', role: 'gateway', tenantsMax });
}

/** Lines with values. */
export async function linesOf(metrics: Metrics): Promise<string[]> {
  const { text } = await metrics.text();
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}
