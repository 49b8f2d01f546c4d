/** What a reload takes over counts for the next request; what it cannot take over is named. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigInput } from '../../src/config/schema.ts';
import { sluice } from '../cli/run.ts';
import { answerAsAsked } from '../http/answers.ts';
import { bearer, chat, send } from '../http/client.ts';
import { startUpstream } from '../support/upstream.ts';
import { type Reloading, startReloading } from './reloading.ts';

type Given = Omit<ConfigInput, 'secret'>;

const given = (one: string): Given => ({
  upstreams: [
    { name: 'gpu', url: one },
    { name: 'plain', url: one },
  ],
  models: [{ name: 'm', upstreams: ['gpu'] }],
  routes: [{ path: '/predict', upstream: 'plain' }],
});

async function startPair(t: Parameters<typeof startReloading>[0]) {
  const [one, two] = await Promise.all([startUpstream(answerAsAsked), startUpstream(answerAsAsked)]);
  t.after(() => Promise.all([one.stop(), two.stop()]));
  return { one, two };
}

async function statusOf({ gateway }: Reloading, path: string, body: string): Promise<number> {
  return (await send(gateway.url, path, { headers: bearer(gateway.key), body })).status;
}

test('models, default, caps and time-outs hold from the answer on', async (t) => {
  const { one, two } = await startPair(t);
  const reloading = await startReloading(t, given(one.url));
  const post = (body: Record<string, unknown>) => statusOf(reloading, '/v1/chat/completions', chat(body));
  assert.deepEqual(
    [await post({ model: 'new' }), await post({ model: undefined }), await post({ model: 'm', n: 4 })],
    [404, 400, 200],
  );
  await reloading.write({
    ...given(one.url),
    upstreams: [
      { name: 'gpu', url: two.url },
      { name: 'plain', url: one.url },
    ],
    models: [{ name: 'new', aliases: ['newer'], upstreams: ['gpu'] }],
    default_model: 'new',
    caps: { n: 2 },
  });
  const { status, body } = await reloading.reload();
  assert.deepEqual([status, body.needs_restart, body.warnings], [200, [], []]);
  assert.deepEqual(body.changes, [
    { what: 'upstreams.gpu', change: 'changed', fields: ['url'] },
    { what: 'models.m', change: 'removed', fields: [] },
    { what: 'models.new', change: 'added', fields: [] },
    { what: 'default_model', change: 'added', fields: [] },
    { what: 'caps', change: 'changed', fields: ['n'] },
  ]);
  const before = two.requests.length;
  assert.deepEqual(
    [
      await post({ model: 'newer' }),
      await post({ model: undefined }),
      await post({ model: 'new', n: 4 }),
      await post({ model: 'm' }),
    ],
    [200, 200, 400, 404],
  );
  assert.equal(two.requests.length - before, 2);
});

test('a route follows its server to another address, and keeps it when the new file has neither', async (t) => {
  const { one, two } = await startPair(t);
  const reloading = await startReloading(t, given(one.url));
  const predict = () => statusOf(reloading, '/predict', '{}');
  const counts = () => [one.requests.length, two.requests.length];
  await predict();
  await reloading.write({ ...given(one.url), upstreams: servers(one.url, two.url) });
  await reloading.reload();
  const [first = 0, second = 0] = counts();
  await predict();
  assert.deepEqual(counts(), [first, second + 1]);

  const { routes: _, ...rest } = given(one.url);
  await reloading.write({ ...rest, upstreams: [{ name: 'gpu', url: one.url }] });
  const { body } = await reloading.reload();
  assert.deepEqual([body.needs_restart, body.changes], [['routes'], []]);
  await predict();
  assert.deepEqual(counts(), [first, second + 2]);
});

test('what needs a restart is named by answer, log and command, each time until there is one', async (t) => {
  const { one } = await startPair(t);
  const reloading = await startReloading(t, given(one.url));
  await reloading.write({
    ...given(one.url),
    keys: { cache_seconds: 5 },
    log: { level: 'debug' },
    drain: { limit_seconds: 1 },
    media: { fetch_count_max: 1 },
  });
  const wanted = ['keys', 'drain', 'log'];
  const { body } = await reloading.reload();
  assert.deepEqual(body.needs_restart, wanted);
  const line = await reloading.signal();
  assert.deepEqual([line.needs_restart, line.changes], [wanted, []]);
  const command = await sluice(['config', 'reload'], { env: reloading.env });
  assert.equal(command.exitCode, 0, command.stderr);
  assert.equal(
    command.stdout,
    'nothing has changed that can change without a restart\nneeds a restart of the gateway: keys, drain, log\n',
  );
  await reloading.write({ ...given(one.url), media: { fetch_count_max: 2 } });
  const again = await sluice(['config', 'reload'], { env: reloading.env });
  assert.equal(again.stdout, 'changed media: fetch_count_max\n');
});

function servers(gpu: string, plain: string) {
  return [
    { name: 'gpu', url: gpu },
    { name: 'plain', url: plain },
  ];
}
