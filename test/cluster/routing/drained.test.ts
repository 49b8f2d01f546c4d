/** A server is taken out by command while calls and streams run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStream } from '../../roles/support.ts';
import { type TestGateway, until } from '../../support/gateway.ts';
import { bounded, TOLERANCE } from '../outage/support/ground.ts';
import { pause, summaryOf } from '../outage/support/load.ts';
import { openGround } from './support/ground.ts';
import { failedShare, logFaults } from './support/judge.ts';

const REPLICAS = 3;
const PER_SECOND = 150;
const HEARD_MS = 1_000;
const STREAMS = 18;
/** Longer than all that is done meanwhile. */
const STREAM_TOKENS = 400;

test(
  'a server that is drained by one replica has nothing new from any within a second, and neither a call nor a stream fails',
  bounded,
  async (t) => {
    const ground = await openGround(t, { replicas: REPLICAS, pace: { tokens: 5, tokenMs: 10 } });
    const { load, gateways, servers } = ground;
    const [drained] = servers;
    const caller = await ground.caller('acme');
    const end = load.begin(PER_SECOND, [caller]);
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, (_, index) =>
        openStream({ ...(gateways[index % REPLICAS] as TestGateway), key: caller.key }, STREAM_TOKENS),
      ),
    );
    await pause(500);

    const command = (what: string) => gateways[0]?.admin('POST', `/upstreams/${drained.name}/${what}`);
    const beganMs = performance.now();
    assert.equal((await command('drain'))?.body.reach, 'all_replicas');
    const heardMs = await ground.untilState(drained, (state) => state === 'draining', TOLERANCE * HEARD_MS);
    await pause(Math.max(0, HEARD_MS - (performance.now() - beganMs)));
    const { started, running } = await drained.counts();
    t.diagnostic(`heard by all replicas in ${heardMs.toFixed(0)} ms; ${running} of its streams still ran`);
    assert.ok(running > 0);
    await pause(1_000);
    assert.equal((await drained.counts()).started, started, 'nothing new');

    await command('resume');
    await until(async () => (await drained.counts()).started > started, 'calls to come back');
    await end();
    for (const { text } of streams) assert.ok((await text).endsWith('data: [DONE]\n\n'));
    t.diagnostic(summaryOf(load.calls));
    assert.equal(failedShare(load.calls), 0);
    assert.deepEqual(logFaults(load.calls, await ground.logLines(STREAMS / REPLICAS)), []);
  },
);
