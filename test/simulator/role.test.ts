/** The simulator as a process. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hello, json, post, startSimulator } from './support/simulator.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

function start(t: TestContext, argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(process.execPath, [main, 'simulator', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

async function outcome(child: ChildProcess): Promise<{ code: unknown; errors: string }> {
  let errors = '';
  child.stderr?.on('data', (text) => {
    errors += text;
  });
  const [code] = await once(child, 'close');
  return { code, errors };
}

test('it says when it is ready, serves what its flags say, and ends on SIGTERM', async (t) => {
  const flags = ['--port', '0', '--model', 'a', '--model', 'b', '--context-length', '64', '--tokens', '3'];
  const child = start(t, [...flags, '--api-key-env', 'SIM_KEY'], { SIM_KEY: 'secret' });
  const [ready] = await once(child, 'message');
  assert.deepEqual([ready.type, ready.role], ['ready', 'simulator']);
  const url: string = ready.listening.api;
  const headers = { authorization: 'Bearer secret' };
  const answer = await post(`${url}/v1/chat/completions`, { ...hello, model: 'b' }, { headers });
  assert.equal((await json(answer)).usage.completion_tokens, 3);
  assert.equal((await post(`${url}/v1/chat/completions`, hello)).status, 401);
  child.kill('SIGTERM');
  assert.equal((await outcome(child)).code, 0);
});

test('wrong flags and a taken port give one clear line', async (t) => {
  const wrong = await outcome(start(t, ['--tokens', 'many']));
  assert.equal(wrong.code, 2);
  assert.match(wrong.errors, /^simulator: --tokens must be a number, not 'many'\n/);
  const { url } = await startSimulator(t);
  const taken = await outcome(start(t, ['--port', new URL(url).port]));
  assert.equal(taken.code, 1);
  assert.match(taken.errors, /^simulator: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*\n$/);
});
