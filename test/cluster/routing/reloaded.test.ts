/** The pool changes by SIGHUP while calls and streams run; a file with faults comes in between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReloading } from '../../roles/reloading.ts';
import { openStream } from '../../roles/support.ts';
import { until } from '../../support/gateway.ts';
import { bounded } from '../outage/support/ground.ts';
import { Load, MODEL, pause, summaryOf } from '../outage/support/load.ts';
import { failedShare, logFaults } from './support/judge.ts';
import { type Server, startServer } from './support/servers.ts';

const PER_SECOND = 150;
const TOKEN_MS = 10;
const STREAMS = 12;
/** What was sent there before the reload has arrived by then. */
const ON_THE_WAY_MS = 500;
const STREAM_TOKENS = 400;

const pool = (servers: readonly Server[]) => ({
  upstreams: servers.map(({ name, url }) => ({ name, url })),
  models: [{ name: MODEL, upstreams: servers.map(({ name }) => name) }],
});

test(
  'a server leaves the pool and another joins it, and a file with faults changes nothing: no call fails, and no stream is cut',
  bounded,
  async (t) => {
    const servers = await Promise.all(['gpu-1', 'gpu-2', 'gpu-3'].map((name) => startServer(name, TOKEN_MS)));
    t.after(() => Promise.all(servers.map((server) => server.kill())));
    const [leaving, staying, joining] = servers as [Server, Server, Server];
    const { gateway, write, signal } = await startReloading(t, pool([leaving, staying]));
    const load = new Load([gateway.url]);
    t.after(() => load.close());
    const end = load.begin(PER_SECOND, [{ name: 'acme', key: gateway.key }]);
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, () => openStream(gateway, STREAM_TOKENS)),
    );
    const started = async (server: Server) => (await server.counts()).started;
    const hasMore = async (server: Server) => {
      const before = await started(server);
      await until(async () => (await started(server)) > before, `calls at ${server.name}`);
    };
    await hasMore(leaving);

    await write({ ...pool([staying]), models: [{ name: MODEL, upstreams: ['gpu-9'] }] });
    assert.match((await signal()).msg, /nothing was changed/);
    await hasMore(leaving);

    await write(pool([staying, joining]));
    assert.equal((await signal()).changes?.length, 3);
    await hasMore(joining);
    await pause(ON_THE_WAY_MS);
    const { started: had, running } = await leaving.counts();
    t.diagnostic(`${running} streams still ran at the server that has left`);
    assert.ok(running > 0);
    await pause(500);
    await hasMore(joining);
    assert.equal(await started(leaving), had, 'who has left the pool gets nothing more');

    await end();
    for (const { text } of streams) assert.ok((await text).endsWith('data: [DONE]\n\n'));
    t.diagnostic(summaryOf(load.calls));
    assert.equal(failedShare(load.calls), 0);
    const lines = await gateway.logLines(load.calls.length + STREAMS);
    assert.deepEqual(logFaults(load.calls, lines), []);
  },
);
