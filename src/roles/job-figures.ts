/** What the metrics of a worker are told of its lines and runs. */
import type { Config } from '../config/schema.ts';
import type { RunReport } from '../jobs/run-parts.ts';
import type { EndedRun } from '../telemetry/job-metrics.ts';
import type { Models } from '../upstream/models.ts';

/** The lines of this process, by its configuration as it is now. */
export function lineNames(models: Pick<Models, 'list'>, { routes }: Pick<Config, 'routes'>): string[] {
  const pools = models.list().flatMap(({ versions }) => versions.map(({ model }) => model.pool.name));
  return [...pools, ...routes.map(({ path }) => path)];
}

/** @param wallMs the same moment by the wall clock, by which gateways say when they took a job in */
export function endedRun({ spec, call, ...report }: RunReport, nowMs: number, wallMs: number): EndedRun {
  const runMs = call ? nowMs - call.startedAtMs : undefined;
  return {
    outcome: report.outcome,
    reason: report.reason,
    model: spec?.model,
    tenant: spec?.tenant,
    waitSeconds: spec && Math.max(0, wallMs - (runMs ?? 0) - spec.created_at_ms) / 1_000,
    runSeconds: runMs === undefined ? undefined : runMs / 1_000,
  };
}
