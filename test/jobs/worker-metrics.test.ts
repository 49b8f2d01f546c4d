/** A worker's metrics tell of its queue and its runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './ground.ts';
import { MODEL, openWorkplace } from './workplace.ts';

test('what waits before the worker comes, and what has run, is in its metrics', async (t) => {
  const place = await openWorkplace(t);
  await place.makeTenant('acme');
  place.simulator.state.turn({ unhealthy: true });
  const ids = await Promise.all([place.putJob(), place.putJob(), place.putJob()]);
  const { adminUrl } = await place.startWorker();
  const text = async () => (await fetch(`${adminUrl}/metrics`)).text();
  await until(async () => (await text()).includes(`sluice_jobs_waiting{line="${MODEL}"} 3`));
  assert.match(await text(), /^sluice_worker_concurrency 128$/m);
  place.simulator.state.turn({ unhealthy: false });
  for (const id of ids) assert.equal((await place.untilOver(id)).status, 'completed');
  await until(async () =>
    (await text()).includes('sluice_tenant_jobs_total{tenant="acme",outcome="completed"} 3'),
  );
  assert.match(await text(), new RegExp(`^sluice_job_wait_seconds_count\\{model="${MODEL}"\\} 3$`, 'm'));
});
