/** A gateway that is told to end lets running calls finish, takes none that could go elsewhere, and says so. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { until } from '../support/gateway.ts';
import { get, hello, openSocket, post, rawCall } from '../upstream/support/caller.ts';
import { exitOf, openStream, startInFront, startSimulator } from './support.ts';

const answers = (text: string) => text.split('HTTP/1.1 ').length - 1;

async function startDraining(t: TestContext) {
  const { url, simulator } = await startSimulator(t);
  const gateway = await startInFront(t, url, { limit_seconds: 2, quiet_seconds: 0.3 });
  const idle = await rawCall(gateway.url, get(gateway, '/health'));
  const busy = await rawCall(gateway.url, get(gateway, '/health'));
  for (const one of [idle, busy])
    await one.until((text) => text.startsWith('HTTP/1.1 200 OK') && text.endsWith('}'));
  const short = await openStream(gateway, 60);
  const long = await openStream(gateway, 10_000);
  await simulator.state.until(({ running }) => running === 2);
  const startedAtMs = performance.now();
  gateway.process.kill('SIGTERM');
  await until(async () => (await fetch(`${gateway.adminUrl}/ready`)).status === 503, '/ready to be 503');
  return { gateway, idle, busy, short, long, startedAtMs, readyAfterMs: performance.now() - startedAtMs };
}

test('the whole drain, in its order', async (t) => {
  const { gateway, idle, busy, short, long, startedAtMs, readyAfterMs } = await startDraining(t);
  t.diagnostic(`/ready was 503 after ${readyAfterMs.toFixed(0)} ms`);
  assert.ok(readyAfterMs < 500, `${readyAfterMs} ms`);

  // A connection that was there is still served, for the last time.
  idle.socket.write(get(gateway, '/health'));
  await idle.closed;
  const [, health = ''] = idle.text().split(/(?=HTTP\/1\.1 503)/);
  assert.match(health, /^HTTP\/1\.1 503 [\s\S]*connection: close\r\n[\s\S]*"status":"draining"/i);
  busy.socket.write(post(gateway, '/v1/chat/completions', { model: 'm', max_tokens: 3, messages: hello }));
  await busy.closed;
  assert.equal(answers(busy.text()), 2);
  assert.match(
    busy.text(),
    /HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n[\s\S]*"finish_reason":"length"/i,
  );

  await assert.rejects(openSocket(gateway.url), { code: 'ECONNREFUSED' });

  const whole = await short.text;
  assert.equal(whole.match(/"content":"[^"]/g)?.length, 60);
  assert.ok(whole.endsWith('data: [DONE]\n\n'));

  const cut = await long.text;
  const cutAfterMs = performance.now() - startedAtMs;
  const last = cut.trimEnd().split('\n\n').at(-1) ?? '';
  const { error } = JSON.parse(last.slice('data: '.length)) as { error: Record<string, unknown> };
  assert.deepEqual([error.code, error.type], ['draining', 'service_unavailable']);
  assert.equal(cut.includes('[DONE]'), false);
  assert.ok(cutAfterMs > 1_990 && cutAfterMs < 3_000, `${cutAfterMs} ms`);

  assert.equal(await exitOf(gateway), 0);
  const log = (await gateway.logText()).trim().split('\n');
  const lines = log.map((line) => JSON.parse(line) as Record<string, unknown>);
  const phases = lines.filter(({ msg }) => msg === 'drain');
  assert.deepEqual(
    phases.map(({ phase, running, cut }) => ({ phase, running, cut })),
    [
      { phase: 'wait', running: 2, cut: undefined },
      { phase: 'done', running: undefined, cut: 1 },
    ],
  );
  const outcomes = lines.filter(({ streamed }) => streamed).map(({ outcome, error }) => [outcome, error]);
  assert.deepEqual(outcomes, [
    ['completed', undefined],
    ['broken', 'draining'],
  ]);
});

test('with nothing to wait for it ends after the quiet time', async (t) => {
  const { url } = await startSimulator(t);
  const gateway = await startInFront(t, url, { limit_seconds: 30, quiet_seconds: 0.2 });
  const startedAtMs = performance.now();
  gateway.process.kill('SIGINT');
  assert.equal(await exitOf(gateway), 0);
  assert.ok(performance.now() - startedAtMs < 2_000);
});

test('a call that has not begun to be answered when the limit comes gets 503, and may be tried elsewhere', async (t) => {
  const { url, simulator } = await startSimulator(t, { firstTokenMs: 60_000 });
  const gateway = await startInFront(t, url, { limit_seconds: 0.3, quiet_seconds: 0 });
  const call = await rawCall(
    gateway.url,
    post(gateway, '/v1/chat/completions', { model: 'm', messages: hello }),
  );
  await simulator.state.until(({ running }) => running === 1);
  gateway.process.kill('SIGTERM');
  await call.closed;
  assert.match(call.text(), /^HTTP\/1\.1 503 [\s\S]*x-should-retry: true\r\n[\s\S]*"code":"draining"/);
  assert.equal(await exitOf(gateway), 0);
  await simulator.state.until(({ running }) => running === 0);
});
