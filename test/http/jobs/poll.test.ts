/** Whoever asks for a job learns how it stands; who waits for it learns its end at once, through any replica. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertRefused } from '../client.ts';
import { ask, got, LINE, read, type Stage, startStage } from './player.ts';

let stage: Stage;
before(async () => {
  stage = await startStage();
});
after(() => stage.stop());

const ANSWER = { id: 'chatcmpl-1', choices: [{ message: { content: 'Good day, "world" … ü' } }] };

test('a job is shown with its times, its place and, at its end, its result and what it has cost', async () => {
  const { one, player } = stage;
  const id = await player.accept();
  const queued = read(await ask(one, `/${id}`));
  assert.deepEqual(
    { ...queued, created_at: 0, expires_at: 0 },
    {
      ...{ id, object: 'job', status: 'queued', model: 'public', created_at: 0, started_at: null },
      ...{ completed_at: null, expires_at: 0, position: 1, eta_seconds: null, attempts: 0, usage: null },
      ...{ error: null, events_url: `/v1/jobs/${id}/events`, result_url: null, result: null },
    },
  );
  assert.ok(Math.abs(Number(queued.created_at) - Date.now() / 1_000) < 10);
  assert.equal(Number(queued.expires_at) - Number(queued.created_at), 86_400);

  const attempt = await player.begin(id);
  const running = await ask(one, `/${id}`);
  assert.deepEqual(
    [read(running).status, read(running).position, read(running).attempts],
    ['in_progress', 0, 1],
  );
  assert.ok(Number(running.headers['openai-poll-after-ms']) >= 500);

  await player.complete(id, attempt, Buffer.from(JSON.stringify(ANSWER)));
  const reply = await ask(one, `/${id}`);
  const done = read(reply);
  assert.deepEqual(
    [done.status, done.position, done.result_url],
    ['completed', null, `/v1/jobs/${id}/result`],
  );
  assert.deepEqual(done.result, ANSWER);
  assert.deepEqual(done.usage, {
    ...{ input_tokens: 5, input_tokens_details: { cached_tokens: 1 }, output_tokens: 3, total_tokens: 8 },
    ...{ images: 0, gpu_seconds: 1.5, cost_usd: 0.000_002 },
  });
  assert.ok(Number(done.completed_at) >= Number(done.started_at));
  assert.deepEqual(
    [reply.headers['cache-control'], reply.headers['openai-poll-after-ms']],
    ['no-store', undefined],
  );
});

test('a job that has failed says why, and has no result', async () => {
  const { one, player } = stage;
  const id = await player.accept();
  await player.fail(id, await player.begin(id));
  const { status, error, result, result_url } = read(await ask(one, `/${id}`));
  assert.deepEqual(
    { status, error, result, result_url },
    {
      status: 'failed',
      error: { code: 'upstream_error', message: 'It broke.' },
      result: null,
      result_url: null,
    },
  );
  assertRefused(await ask(one, `/${id}/result`), 'job_has_no_answer');
});

test('the end of a job ends a long poll on another replica within a tenth of a second', async (t) => {
  const { other, player } = stage;
  const id = await player.accept();
  const attempt = await player.begin(id);
  const waiting = ask(other, `/${id}`, { prefer: 'respond-async, wait=30' });
  // By then the other replica has read the job and waits.
  await ask(other, `/${id}`);
  let answeredAtMs = 0;
  const answered = waiting.then((reply) => {
    answeredAtMs = performance.now();
    return reply;
  });
  await player.complete(id, attempt, Buffer.from('{"a":1}'));
  const finishedAtMs = performance.now();
  const reply = await answered;
  assert.deepEqual([read(reply).status, read(reply).result], ['completed', { a: 1 }]);
  assert.equal(reply.headers['preference-applied'], 'wait=30');
  const lateMs = answeredAtMs - finishedAtMs;
  t.diagnostic(`the poll ended ${lateMs.toFixed(1)} ms after the job`);
  assert.ok(lateMs < 300, `${lateMs} ms`);
});

test('a long poll whose time is up answers with the job as it is', async () => {
  const { one, player } = stage;
  const id = await player.accept();
  const { tookMs, status, body, headers } = await ask(one, `/${id}`, { prefer: 'wait=1' });
  assert.deepEqual([status, JSON.parse(body.toString()).status], [200, 'queued']);
  assert.equal(headers['preference-applied'], 'wait=1');
  assert.ok(tookMs >= 990 && tookMs < 3_000, `${tookMs} ms`);
  got(await player.table.cancel(id, undefined, 'test'));
});

test('preferences that are not known change nothing, and a job that is over is not waited for', async () => {
  const { one, player } = stage;
  const id = await player.accept();
  assert.equal(
    read(await ask(one, `/${id}`, { prefer: 'handling=lenient, wait=x, wait=0' })).status,
    'queued',
  );
  await player.complete(id, await player.begin(id));
  const { tookMs } = await ask(one, `/${id}`, { prefer: 'wait=600' });
  assert.ok(tookMs < 3_000, `${tookMs} ms`);
});

test('the time until its end is right within a factor of two while the line moves steadily', async (t) => {
  const { one, player } = stage;
  const line = `${LINE}-steady`;
  const EACH_MS = 100;
  const ids: string[] = [];
  for (let count = 0; count < 40; count += 1) ids.push(await player.accept({ line }));
  const last = ids.at(-1) as string;
  const run = async (count: number) => {
    for (const { id } of got(await player.table.pick(line, count))) {
      const { attempt } = got(await player.table.start(id, 'steady', 1));
      await new Promise((resolve) => setTimeout(resolve, EACH_MS));
      await player.complete(id, attempt);
    }
  };
  for (let done = 0; done < 15; done += 1) await run(1);
  const askedAtMs = performance.now();
  const { position, eta_seconds } = read(await ask(one, `/${last}`));
  while (read(await ask(one, `/${last}`)).status !== 'completed') await run(1);
  const tookSeconds = (performance.now() - askedAtMs) / 1_000;
  t.diagnostic(`position ${position} of 25; said ${eta_seconds} s, took ${tookSeconds.toFixed(1)} s`);
  assert.equal(position, 25);
  assert.ok(Number(eta_seconds) >= tookSeconds / 2 - 0.5 && Number(eta_seconds) <= tookSeconds * 2 + 0.5);
});
