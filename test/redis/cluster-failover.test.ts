import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/gateway.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { connected, lightLoad, listen, redisConfig, runTicket } from './ground.ts';

/** The product promises 5 s; a busy machine gets three times that. */
const LIMIT_MS = 15_000;

test('a primary of a Cluster that is lost costs errors for seconds, and nobody touches anything', async (t) => {
  const servers = await startRedisCluster();
  t.after(() => servers.stop());
  const connection = await connected(t, redisConfig(servers.url));
  const ear = listen(connection, 'news');
  const load = lightLoad(connection);
  t.after(() => {
    load.stop();
    ear.close();
  });
  await until(() => ear.times > 0, 'the subscription');
  assert.equal(await runTicket(connection, 'before', 1), 'open');
  assert.equal(load.failures, 0);

  for (const round of ['killed', 'frozen'] as const) {
    let returned = 0;
    const forget = connection.onReturn(() => {
      returned += 1;
    });
    const begunMs = performance.now();
    const port = round === 'killed' ? await servers.killPrimary() : await servers.pausePrimary();
    const outageMs = await load.outage(begunMs, 1_500, LIMIT_MS);
    t.diagnostic(
      `${round}: errors for ${Math.round(outageMs)} ms, ${load.failures} in all, slowest call ${Math.round(load.slowestMs)} ms`,
    );
    assert.ok(returned > 0, 'others are told');
    forget();
    assert.equal(await runTicket(connection, `after-${round}`, 1), 'open');

    // What is published is heard again.
    await until(async () => {
      await connection.ask((client) => client.publish('news', round));
      return ear.heard.includes(round);
    }, 'a message');
    if (round === 'frozen') break;
    await servers.restart(port);
    await servers.untilWhole();
  }
  // Admission and settlement: two questions, each with its own limit.
  assert.ok(load.slowestMs < 900, `a call took ${load.slowestMs} ms`);
});
