import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allGone, family, newFolder, printedKey, start } from './support/start.ts';

test('a gateway that dies is started again', async (context) => {
  const folder = newFolder(context);
  const started = start(context, folder);
  await started.line(/^Ready/);
  const gateway = Number(/^gateway (\d+) started/.exec(folder.notes().at(-1) ?? '')?.[1]);
  process.kill(gateway, 'SIGKILL');
  await started.line(/^gateway \d ended \(SIGKILL\); it starts again in 0\.25 s$/);
  await started.line(/^gateway \d is ready again$/);
});

test('Redis comes back on its port, with its data, when its guard is killed', async (context) => {
  const folder = newFolder(context);
  const started = start(context, folder);
  await started.line(/^Ready/);
  const key = await printedKey(started);
  const url = /http:\S+/.exec(await started.line(/^gateway 1 +ready/))?.[0];
  const guard = family(started.pid).find((pid) => pid !== started.pid && family(pid).length === 2);
  process.kill(guard ?? 0, 'SIGKILL');
  await started.line(/^redis is ready again$/);
  const answer = await untilOk(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(answer.status, 200);
});

test('what does not come up is given up with its last words, and nothing stays', async (context) => {
  const folder = newFolder(context);
  const started = start(context, folder, { STUB_FAULT: 'die', GATEWAYS: '1' });
  await started.line(/^redis +ready/);
  const pids = family(started.pid);
  const { code, output } = await started.ended();
  assert.equal(code, 1);
  assert.match(output, /^gateway 1 does not start: exit code 3\. .+gateway-1\.log:$/m);
  assert.match(output, /the stub dies as it was told\n$/);
  await allGone(pids);
});

/** The gateway's connection to Redis needs a moment to come back. */
async function untilOk(url: string, init: RequestInit): Promise<Response> {
  for (;;) {
    const answer = await fetch(url, init).catch(() => undefined);
    if (answer?.ok) return answer;
  }
}
