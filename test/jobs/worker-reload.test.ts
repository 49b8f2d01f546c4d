/** SIGHUP: what a worker reads anew is in force at once, and what runs goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from './ground.ts';
import { chat, MODEL, openWorkplace } from './workplace.ts';

const NEW = 'phi';
/** Longer than the reload and a small job take on a slow machine. */
const LASTS_MS = 4_000;

function ofModel(name: string) {
  return {
    body: { ...chat('hello'), model: name },
    spec: { model: name, line: name, requested_model: name },
  };
}

test('after SIGHUP a worker runs jobs of a new model, and the job that ran goes on in its first attempt', async (t) => {
  const place = await openWorkplace(t, { simulator: { tokens: 2 } });
  const { simulator, config } = place;
  simulator.state.addFault({ prompt: 'long', first_token_ms: LASTS_MS });
  const worker = await place.startWorker();
  const running = await place.putJob({ body: chat('long') });
  await simulator.state.until(({ running: now }) => now === 1);
  const waiting = await place.putJob(ofModel(NEW));
  const [model] = config.models ?? [];
  await worker.configure({ ...config, models: [...(config.models ?? []), { ...model, name: NEW }] });
  worker.child.kill('SIGHUP');
  const { status } = await place.untilOver(waiting);
  assert.equal(status, 'completed');
  assert.equal((await place.find(running)).status, 'in_progress');
  const ended = await place.untilOver(running);
  assert.deepEqual([ended.status, ended.attempt], ['completed', 1]);
});

test('a model that is gone after SIGHUP begins no more jobs; one that runs ends, and the rest waits', async (t) => {
  const place = await openWorkplace(t, { simulator: { firstTokenMs: 1_500, tokens: 2 } });
  const { simulator, config } = place;
  const [model] = config.models ?? [];
  const both = { ...config, models: [...(config.models ?? []), { ...model, name: NEW }] };
  const worker = await place.startWorker();
  await worker.configure(both);
  worker.child.kill('SIGHUP');
  const running = await place.putJob();
  await simulator.state.until(({ running: now }) => now === 1);
  await worker.configure({ ...config, models: [{ ...model, name: NEW }] });
  worker.child.kill('SIGHUP');
  const reloaded = async () => (await worker.logText()).split('"cause":"signal"').length === 3;
  await until(reloaded);
  const [waiting, other] = await Promise.all([place.putJob(), place.putJob(ofModel(NEW))]);
  assert.equal((await place.untilOver(other)).status, 'completed');
  assert.equal((await place.untilOver(running)).status, 'completed');
  assert.equal((await place.find(waiting)).status, 'queued');
  await worker.configure(both);
  worker.child.kill('SIGHUP');
  const ended = await place.untilOver(waiting);
  assert.deepEqual([ended.status, ended.model], ['completed', MODEL]);
});
