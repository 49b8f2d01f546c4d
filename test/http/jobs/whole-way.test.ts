/** From the request over a real worker to the answer: what came in one way comes out by all others. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createSimulator } from '../../../src/simulator/server.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { bearer, chat, send } from '../client.ts';
import { ask, listen, read } from './player.ts';
import { startWorker, type TestWorker } from './worker-process.ts';

let redis: TestRedis;
let simulator: ReturnType<typeof createSimulator>;
let one: TestGateway;
let other: TestGateway;
let worker: TestWorker;

before(async () => {
  redis = await startRedis();
  simulator = createSimulator({ models: ['inner'] });
  const { url } = await simulator.listen('127.0.0.1', 0);
  const config = {
    upstreams: [{ name: 'gpu', url }],
    models: [{ name: 'public', upstreams: ['gpu'], upstream_model: 'inner' }],
  };
  [one, other, worker] = await Promise.all([
    startGateway({ redis, config }),
    startGateway({ redis, config }),
    startWorker(redis, config),
  ]);
});

after(async () => {
  await Promise.all([one.stop(), other.stop(), worker.stop()]);
  await simulator.close();
  await redis.stop();
});

async function accepted(fields: Record<string, unknown>): Promise<string> {
  const headers = { ...bearer(one.key), prefer: 'respond-async' };
  const reply = await send(one.url, '/v1/chat/completions', { headers, body: chat(fields) });
  assert.equal(reply.status, 202, reply.body.toString());
  assert.equal(reply.headers.location, `/v1/jobs/${read(reply).id}`);
  return String(read(reply).id);
}

test('a long poll has the answer of a worker as its result', async () => {
  const id = await accepted({});
  const job = read(await ask(other, `/${id}`, { prefer: 'wait=30' }));
  assert.equal(job.status, 'completed');
  const { model, choices } = job.result as { model: string; choices: unknown[] };
  assert.deepEqual([model, choices.length], ['public', 1]);
  const alone = await ask(one, `/${id}/result`);
  assert.deepEqual(read(alone), job.result);
  assert.ok(Number((job.usage as { output_tokens: number }).output_tokens) > 0);
});

test('a listener hears the stream of a worker, and the result is the same stream', async () => {
  const id = await accepted({ stream: true });
  const reader = await listen(other, id);
  assert.equal(JSON.parse((await reader.until('done')).data).status, 'completed');
  const stream = (await ask(one, `/${id}/result`)).body.toString();
  const said = stream.split('\n\n').map((event) => event.replace(/^data: /, ''));
  assert.deepEqual(
    reader.chunks(),
    said.filter((data) => data !== '' && data !== '[DONE]'),
  );
  assert.ok(reader.chunks().length > 2);
  assert.ok(reader.chunks().every((data) => JSON.parse(data).model === 'public'));
});
