/** A worker process runs jobs as the gateway runs calls, and leaves their answers and what they have cost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { value } from '../redis/payloads/ground.ts';
import { until } from './ground.ts';
import { chat, MODEL, openWorkplace } from './workplace.ts';

test('a job is run: the answer is byte-equal but for the model, and it is charged once', async (t) => {
  const place = await openWorkplace(t);
  await place.startWorker();
  place.simulator.state.addFault({ text: 'Grüße 你好', prompt: 'greet' });
  const id = await place.putJob({ body: chat('greet', { max_tokens: 8 }) });
  const record = await place.untilOver(id);
  assert.equal(record.status, 'completed');
  assert.equal(record.attempt, 1);
  const { head, body } = await place.answerOf(record);
  assert.deepEqual(head, { status: 200, content_type: 'application/json', upstream: 'gpu' });
  const answer = JSON.parse(body.toString());
  assert.equal(answer.model, MODEL);
  assert.equal(answer.choices[0].message.content, 'Grüße 你好');
  const sent = place.simulator.state.last;
  assert.equal(JSON.parse(sent?.body.toString() ?? '').model, '/models/inner');
  const names = sent?.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  assert.deepEqual(names?.sort(), ['connection', 'content-length', 'content-type', 'host', 'x-request-id']);
  const calls = await place.settled('acme', 1);
  assert.equal(calls.length, 1);
  assert.equal(calls[0]?.request_id, `request of ${id}`);
  assert.equal(calls[0]?.output_tokens, answer.usage.completion_tokens);
  assert.equal(JSON.parse(record.usage ?? '').input_tokens, answer.usage.prompt_tokens);
});

test('a stream lies in pieces: whole events, without the usage chunk that nobody asked for', async (t) => {
  const place = await openWorkplace(t);
  await place.startWorker();
  const id = await place.putJob({
    body: chat('hello', { stream: true, max_tokens: 20 }),
    spec: { asks_for_usage: true },
  });
  const record = await place.untilOver(id);
  assert.equal(record.status, 'completed');
  const read = value(await place.payloads.pieces.read(id, 1, 0));
  assert.ok(read.kind === 'pieces' && read.isEnd);
  const text = Buffer.concat(read.pieces).toString();
  assert.ok(text.endsWith('data: [DONE]\n\n'));
  assert.ok(!text.includes('"usage"'));
  assert.ok(text.includes(`"model":"${MODEL}"`));
  assert.equal((await place.settled('acme', 1))[0]?.output_tokens, 20);
});

test('what the server refuses has failed, with its words, and is not tried again', async (t) => {
  const place = await openWorkplace(t);
  await place.startWorker();
  const id = await place.putJob({ body: chat('too much', { max_tokens: 1_000_000 }) });
  const record = await place.untilOver(id);
  assert.equal(record.status, 'failed');
  assert.equal(record.attempt, 1);
  const { head, body } = await place.answerOf(record);
  assert.equal(head.status, 400);
  assert.equal(JSON.parse(body.toString()).error.code, record.error?.code);
});

test('a server that fails is tried again, and after the tries the job has failed with the cause', async (t) => {
  const place = await openWorkplace(t, { config: { jobs: { attempts_max: 2 } } });
  await place.startWorker();
  place.simulator.state.addFault({ cut: 'reset', cut_after_tokens: 2, prompt: 'poison' });
  const poison = await place.putJob({ body: chat('poison', { stream: true }) });
  const good = await place.putJob();
  assert.equal((await place.untilOver(good)).status, 'completed');
  const record = await place.untilOver(poison);
  assert.equal(record.status, 'failed');
  assert.equal(record.attempt, 2);
  assert.equal(record.error?.code, 'upstream_error');
});

test('what cannot be read, or whose key is revoked, has failed and costs nothing', async (t) => {
  const place = await openWorkplace(t);
  await place.makeTenant('gone');
  const revoked = await place.putJob({ tenant: 'gone' });
  await place.keys.revoke(place.keyOf('gone'));
  const broken = await place.putJob({ payload: Buffer.from('no job') });
  await place.startWorker();
  assert.equal((await place.untilOver(revoked)).error?.code, 'invalid_api_key');
  assert.equal((await place.untilOver(broken)).error?.code, 'internal_error');
  assert.equal(place.simulator.state.counts.started, 0);
});

test('many small jobs go through one process', async (t) => {
  const place = await openWorkplace(t, { config: { worker: { concurrency: 32 } } });
  const count = 600;
  await place.makeTenant('acme');
  const ids: string[] = [];
  for (let index = 0; index < count; index += 50) {
    ids.push(
      ...(await Promise.all(
        Array.from({ length: 50 }, () => place.putJob({ body: chat('hi', { max_tokens: 1 }) })),
      )),
    );
  }
  const worker = await place.startWorker();
  const begunMs = performance.now();
  await until(async () => value(await place.table.totals()).jobs === 0, 30_000);
  const tookMs = performance.now() - begunMs;
  t.diagnostic(`${Math.round((count / tookMs) * 1_000)} jobs/s, by a process that has just started`);
  const records = await Promise.all(ids.map((id) => place.find(id)));
  assert.ok(records.every(({ status, attempt }) => status === 'completed' && attempt === 1));
  assert.equal((await place.settled('acme', count)).length, count);
  assert.equal((await fetch(`${worker.adminUrl}/ready`)).status, 200);
  assert.ok((await worker.stop()) < 3 * 2_000);
});
