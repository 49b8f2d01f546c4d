import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metrics } from '../../../src/telemetry/metrics.ts';
import { ServerHealth } from '../../../src/upstream/health/server-health.ts';
import { linesOf, metricsOf as processMetricsOf } from '../../telemetry/readings.ts';

const NOW = 1_000;

test('the metrics tell the state of each server, why it was ejected and how long its probes took', async () => {
  const servers = new Map([
    ['a', new ServerHealth()],
    ['b', new ServerHealth()],
  ]);
  for (const server of servers.values()) server.probed('ok', NOW);
  for (const _ of [1, 2]) servers.get('b')?.probed('no_answer', NOW);
  const metrics = metricsOf(servers);
  metrics.probed('b', 'no_answer', 1);
  const lines = await linesOf(metrics);
  assert.deepEqual(
    lines.filter((line) => /^sluice_upstream_state.* 1$/.test(line)),
    [
      'sluice_upstream_state{upstream="a",state="up"} 1',
      'sluice_upstream_state{upstream="b",state="down"} 1',
    ],
  );
  assert.equal(lines.filter((line) => line.startsWith('sluice_upstream_state{')).length, 10);
  assert.ok(lines.includes('sluice_upstream_ejections_total{upstream="b",reason="frozen"} 1'));
  assert.ok(lines.includes('sluice_upstream_ejections_total{upstream="a",reason="frozen"} 0'));
  assert.ok(lines.includes('sluice_upstream_probe_seconds_sum{upstream="b",result="no_answer"} 1'));

  servers.delete('b');
  const fewer = await linesOf(metrics);
  assert.ok(!fewer.some((line) => /^sluice_upstream_(state|ejections_total)\{upstream="b"/.test(line)));
  assert.ok(fewer.includes('sluice_upstream_ejections_total{upstream="a",reason="frozen"} 0'));
});

function metricsOf(servers: ReadonlyMap<string, ServerHealth>): Metrics {
  return processMetricsOf({
    upstreams: () =>
      [...servers].map(([name, server]) => ({
        ...{
          name,
          healthy: server.health === 'healthy',
          inFlight: 0,
          places: undefined,
          capacity: undefined,
        },
        ...{ state: server.state(NOW), ejections: server.ejections, reported: undefined },
      })),
  });
}
