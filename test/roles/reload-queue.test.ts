/** Reloads run one after the other, however many ask, and a new server that says nothing holds none of them up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigInput, configSchema } from '../../src/config/schema.ts';
import { ConfigReloader } from '../../src/roles/reload.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { Models } from '../../src/upstream/models.ts';

const given: ConfigInput = { secret: 'a secret of at least 32 characters' };
const withServer = (name: string) =>
  configSchema.parse({ ...given, upstreams: [{ name, url: 'http://gpu.test' }] });

/** Reads a file that names a server `gpu-1`, then one with `gpu-2`, and so on. */
function playedReloader(probe: () => Promise<void>) {
  const started = configSchema.parse(given);
  const models = new Models(started);
  let reads = 0;
  const reloader = new ConfigReloader({
    started,
    load: () => {
      reads += 1;
      return { ok: true, config: withServer(`gpu-${reads}`), warnings: [] };
    },
    models,
    probe,
    wallMs: Date.now,
    log: createLogger('silent', {}, { write: () => undefined }),
  });
  return { reloader, reads: () => reads, servers: () => [...models.upstreams.keys()] };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('those who ask while a reload runs share the next one, which reads the file anew', async () => {
  const answers: (() => void)[] = [];
  const played = playedReloader(() => new Promise((resolve) => answers.push(resolve)));
  const { reloader, reads, servers } = played;
  const first = [reloader.reload('admin'), reloader.reload('signal')];
  await turn();
  const later = [reloader.reload('admin'), reloader.reload('admin'), reloader.reload('signal')];
  await turn();
  assert.deepEqual([reads(), servers()], [1, []]);
  answers[0]?.();
  const [one, same] = await Promise.all(first);
  assert.equal(one, same);
  assert.deepEqual(servers(), ['gpu-1']);
  await turn();
  answers[1]?.();
  const reports = await Promise.all(later);
  assert.equal(new Set(reports).size, 1);
  assert.deepEqual([reads(), servers()], [2, ['gpu-2']]);
});

test('a new server that does not answer its probe joins after two seconds', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { reloader, servers } = playedReloader(() => new Promise(() => undefined));
  const reloaded = reloader.reload('admin');
  await turn();
  t.mock.timers.tick(1_999);
  await turn();
  assert.deepEqual(servers(), []);
  t.mock.timers.tick(1);
  assert.equal((await reloaded).ok, true);
  assert.deepEqual(servers(), ['gpu-1']);
  assert.deepEqual(
    reloader.live.upstreams.map(({ name }) => name),
    ['gpu-1'],
  );
});
