/** How the example of a vision model is run: behind nginx with HTTPS, watched, scaled, backed up and put back. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { runRole } from '../cluster/backup/support/ground.ts';
import { startBalancer } from '../deploy/support/balancer.ts';
import { bearer, send } from '../http/client.ts';
import { temporaryFolder } from '../support/certificates.ts';
import { type TestGateway, until } from '../support/gateway.ts';
import { missingPrograms } from '../support/programs.ts';
import { startRedis } from '../support/redis.ts';
import { startAlerting } from './support/alerting.ts';
import { ask, MODEL, startVision, type VisionExample } from './support/vision.ts';

const LIMIT_MS = 30_000;
const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const run = promisify(execFile);

let example: VisionExample;
let gateway: TestGateway;

before(async () => {
  example = await startVision();
  ({ gateway } = example);
});

after(() => example.stop());

async function usageOf(at: TestGateway, key: string): Promise<Record<string, unknown>> {
  const reply = await send(at.url, '/v1/usage', { method: 'GET', headers: bearer(key) });
  assert.equal(reply.status, 200, reply.body.toString());
  return JSON.parse(reply.body.toString());
}

test('nginx with HTTPS in front: curl sends an image, and the log has the address and the id of its caller', {
  skip: missingPrograms('nginx', 'openssl', 'curl'),
}, async (t) => {
  const nginx = await startBalancer('nginx', { gateways: [gateway.url] });
  t.after(() => nginx.stop());
  const authority = join(await temporaryFolder(t), 'ca.pem');
  await writeFile(authority, nginx.ca);
  const body = JSON.stringify({
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: PIXEL } }] }],
  });
  const { stdout } = await run('curl', [
    ...['-sS', '--max-time', '20', '--cacert', authority, '--interface', '127.0.0.5'],
    ...['-H', `Authorization: Bearer ${gateway.key}`, '-H', 'Content-Type: application/json'],
    ...['-H', 'X-Request-Id: through-nginx', '-d', body],
    `https://localhost:${nginx.port}/v1/chat/completions`,
    ...['--ipv4', '-w', '\n%{http_code} %{http_version} %header{x-request-id}'],
  ]);
  assert.match(stdout, /"object":"chat\.completion"/);
  assert.match(stdout, /\n200 (2|1\.1) through-nginx$/);
  let line: Record<string, unknown> | undefined;
  await until(async () => {
    line = (await gateway.logLines(1)).find(({ request_id }) => request_id === 'through-nginx');
    return line !== undefined;
  }, 'the line');
  assert.deepEqual([line?.address, line?.status], ['127.0.0.5', 200]);
});

test('each answer has a request id, the caller’s own where it sends one, and refusals too', async () => {
  const own = await ask(gateway, gateway.key, { 'x-request-id': 'mine-1' });
  assert.equal(own.headers['x-request-id'], 'mine-1');
  const made = [await ask(gateway, gateway.key), await ask(gateway, 'a-key-of-nobody-0123456789')];
  const ids = made.map(({ headers }) => String(headers['x-request-id']));
  assert.equal(new Set(ids).size, 2);
  for (const id of ids) assert.match(id, /^[0-9a-f-]{36}$/);
});

test('calls are kept, and summed over seven days: how many, their time and its mean', async () => {
  const { key } = await gateway.createKey({ tenant: 'summed' });
  for (const _ of [1, 2, 3]) assert.equal((await ask(gateway, key)).status, 200);
  type Stats = { total_calls: number; total_time: number; avg_time: number };
  const statsOf = async () => (await usageOf(gateway, key)).recent_stats as Stats;
  await until(async () => (await statsOf()).total_calls === 3, 'the calls in the books');
  const { total_time, avg_time } = await statsOf();
  assert.ok(total_time > 0 && Math.abs(avg_time - total_time / 3) <= 0.001, `${avg_time} of ${total_time}`);
  const { last_seven_days } = await usageOf(gateway, key);
  assert.equal((last_seven_days as unknown[]).length, 7);
  const calls = (await gateway.admin('GET', '/usage/calls?tenant=summed')).body.data as object[];
  assert.equal(calls.length, 3);
  for (const call of calls) {
    for (const field of ['request_id', 'key', 'model', 'status', 'output_tokens', 'cost_usd'])
      assert.ok(field in call, `${field} in ${JSON.stringify(call)}`);
  }
});

test('the metric by which servers are started grows with the calls that are under way, and falls behind them', async () => {
  const limits = { requests_per_minute: 1_000, max_concurrent: 100 };
  const { key } = await gateway.createKey({ tenant: 'many', limits, quotas: [] });
  const wanted = () => gateway.metric(`sluice_model_servers_wanted{model="${MODEL}"}`);
  assert.ok((await wanted()) < 0.1);
  for (const { state } of example.servers) state.addFault({ prompt: 'Hello', first_token_ms: 1_500 });
  const calls = Array.from({ length: 80 }, () => ask(gateway, key));
  // A server takes 64.
  await until(async () => (await wanted()) >= 1, 'more than one server to be wanted');
  for (const { state } of example.servers) state.clearFaults();
  for (const { status } of await Promise.all(calls)) assert.equal(status, 200);
  await until(async () => (await wanted()) < 0.1, 'none to be wanted');
});

test('all that Redis holds is backed up and put back: keys, quotas, what is used of them, users', async (t) => {
  const quotas = [{ period: 'total', requests: 5 }];
  const { key } = await gateway.createKey({ tenant: 'kept', name: 'phone', quotas });
  for (const _ of [1, 2]) assert.equal((await ask(gateway, key)).status, 200);
  const whole = async (at: TestGateway) => {
    const { user_id, user_name, used_quota, total_quota, recent_stats } = await usageOf(at, key);
    return { user_id, user_name, used_quota, total_quota, recent_stats };
  };
  await until(async () => JSON.stringify(await whole(gateway)).includes('"total_calls":2'), 'both calls');
  const before = await whole(gateway);

  const file = join(await temporaryFolder(t), 'sluice.backup');
  const made = await runRole(['backup', file], { REDIS_URL: gateway.redis.url });
  assert.equal(made.code, 0, made.err);
  const redis = await startRedis();
  t.after(() => redis.stop());
  const back = await runRole(['restore', file], { REDIS_URL: redis.url });
  assert.equal(back.code, 0, back.err);
  const restored = await example.another({ redis, makeKey: false });
  t.after(() => restored.stop());
  assert.deepEqual(await whole(restored), before);
  assert.equal((await ask(restored, key)).headers['x-quota-remaining-requests'], '2');
  const { body } = await restored.admin('GET', '/tenants/alice');
  assert.equal(body.answer_metadata, true);
});

test('when the servers of the model are gone, /health says so of the model alone, and mail, DingTalk and SMS too', {
  skip: missingPrograms('prometheus', 'prometheus-alertmanager'),
  timeout: 3 * LIMIT_MS,
}, async (t) => {
  const ends = new AsyncDisposableStack();
  t.after(() => ends.disposeAsync());
  const alerting = await startAlerting(ends, gateway.adminUrl);
  const health = async () => {
    const answer = await fetch(`${gateway.url}/health`);
    const { gateway: itself, redis, models } = (await answer.json()) as Record<string, unknown>;
    return [answer.status, itself, redis, models];
  };
  assert.deepEqual(await health(), [200, 'ok', 'ok', { [MODEL]: 'healthy' }]);
  assert.deepEqual([alerting.mails, alerting.posts], [[], []]);

  await Promise.all(example.servers.map((server) => server.close()));

  await until(async () => JSON.stringify(await health()).includes('unreachable'), 'the probes');
  assert.deepEqual(await health(), [200, 'ok', 'ok', { [MODEL]: 'unreachable' }]);
  const arrived = (texts: () => readonly string[], what: string) =>
    until(() => texts().some((text) => text.includes('SluiceModelDown')), what, LIMIT_MS);
  await arrived(() => alerting.mails, 'the mail');
  for (const path of ['/dingtalk', '/sms']) {
    const posted = () => alerting.posts.filter((post) => post.path === path).map(({ text }) => text);
    await arrived(posted, path);
  }
  assert.match(alerting.mails.join('\n'), /^To: gpu-oncall@example\.com$/m);
});
