/** Writes the definitions as the JSON that Grafana reads: `npm run dashboards`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Dashboard, dashboardJson } from './dashboard.ts';
import { jobs } from './dashboards/jobs.ts';
import { latency } from './dashboards/latency.ts';
import { limits } from './dashboards/limits.ts';
import { overview } from './dashboards/overview.ts';
import { redis } from './dashboards/redis.ts';
import { upstreams } from './dashboards/upstreams.ts';
import { RUNBOOK_UID } from './panel.ts';
import { runbookJson } from './runbook.ts';

export const dashboards: readonly Dashboard[] = [overview, latency, limits, upstreams, jobs, redis];

const runbook = new URL('../deploy/prometheus/RUNBOOK.md', import.meta.url);
export const jsonFolder = new URL('json/', import.meta.url);

/** Text of each file in `json/`, by its name. */
export function generate(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const dashboard of dashboards) files.set(`${dashboard.uid}.json`, textOf(dashboardJson(dashboard)));
  files.set(`${RUNBOOK_UID}.json`, textOf(runbookJson(readFileSync(runbook, 'utf8'))));
  return files;
}

function textOf(json: object): string {
  return `${JSON.stringify(json, null, 2)}\n`;
}

if (import.meta.main) {
  for (const [name, text] of generate()) writeFileSync(new URL(name, jsonFolder), text);
}
