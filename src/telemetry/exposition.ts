import { setImmediate } from 'node:timers/promises';
import type { Registry } from 'prom-client';

/** Requests wait no longer than that, and for the largest single metric, while Prometheus is told everything. */
const SLICE_MS = 2;

/** The text of all metrics, written in slices between which the event loop turns. */
export async function exposition(registry: Registry): Promise<string> {
  let text = '';
  let sliceBeganAtMs = performance.now();
  for (const { name } of registry.getMetricsAsArray()) {
    text += `${await registry.getSingleMetricAsString(name)}\n`;
    if (performance.now() - sliceBeganAtMs < SLICE_MS) continue;
    await setImmediate();
    sliceBeganAtMs = performance.now();
  }
  return text;
}
