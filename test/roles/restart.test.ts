/** Two replicas share a port; one is restarted under load. Nobody sees it. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { test } from 'node:test';
import { until } from '../support/gateway.ts';
import { freePort, startRedis } from '../support/redis.ts';
import { hello } from '../upstream/support/caller.ts';
import { exitOf, openStream, startInFront, startSimulator } from './support.ts';

const CALLERS = 16;

test('a keep-alive client that hammers both replicas while one restarts sees no failure', async (t) => {
  const { url } = await startSimulator(t, { tokenMs: 0 });
  const redis = await startRedis();
  t.after(() => redis.stop());
  const env = { PORT: String(await freePort()), SLUICE_REUSE_PORT: '1' };
  const drain = { limit_seconds: 10, quiet_seconds: 0.5 };
  const first = await startInFront(t, url, drain, { redis, env });
  const second = await startInFront(t, url, drain, { redis, env, makeKey: false });
  const { key } = first;

  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });
  t.after(() => agent.destroy());
  const body = JSON.stringify({ model: 'm', max_tokens: 2, messages: hello });
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const call = () =>
    new Promise<string>((resolve) => {
      request(`${second.url}/v1/chat/completions`, { method: 'POST', agent, headers }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(String(answer.statusCode)));
        answer.on('error', (error) => resolve(error.message));
      })
        .on('error', (error) => resolve(error.message))
        .end(body);
    });
  const results = new Map<string, number>();
  let total = 0;
  let isOver = false;
  const hammer = async () => {
    while (!isOver) {
      const result = await call();
      total += 1;
      results.set(result, (results.get(result) ?? 0) + 1);
    }
  };
  const hammers = Promise.all(Array.from({ length: CALLERS }, hammer));
  const more = (count: number) => {
    const goal = total + count;
    return until(() => total >= goal, 'more calls', 30_000);
  };

  await more(300);
  for (const replica of [first, second]) {
    replica.process.kill('SIGTERM');
    assert.equal(await exitOf(replica), 0);
    await more(300);
    // The next one takes its place before the other goes.
    await startInFront(t, url, drain, { redis, env, makeKey: false });
    await more(300);
  }
  isOver = true;
  await hammers;
  t.diagnostic(`${total} calls: ${JSON.stringify(Object.fromEntries(results))}`);
  assert.deepEqual([...results.keys()], ['200']);
});

test('streams of the replica that goes end whole, while new ones go to the other', async (t) => {
  const { url } = await startSimulator(t);
  const redis = await startRedis();
  t.after(() => redis.stop());
  const env = { PORT: String(await freePort()), SLUICE_REUSE_PORT: '1' };
  const drain = { limit_seconds: 10, quiet_seconds: 0.1 };
  const first = await startInFront(t, url, drain, { redis, env });
  const before = await Promise.all(Array.from({ length: 10 }, () => openStream(first, 300)));
  await startInFront(t, url, drain, { redis, env, makeKey: false });
  first.process.kill('SIGTERM');
  await until(async () => (await fetch(`${first.adminUrl}/ready`)).status === 503, '/ready to be 503');
  const behind = await Promise.all(Array.from({ length: 10 }, () => openStream(first, 20)));
  for (const { status, text } of [...before, ...behind]) {
    assert.equal(status, 200);
    assert.ok((await text).endsWith('data: [DONE]\n\n'));
  }
  assert.equal(await exitOf(first), 0);
});
