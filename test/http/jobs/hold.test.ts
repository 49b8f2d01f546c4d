/** Who sends an oversized prompt gets his answer when its turn has come, and need not know of jobs. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { until } from '../../support/gateway.ts';
import { completion } from '../answers.ts';
import { assertRefused, send } from '../client.ts';
import { type DoorStage, LARGE, prompt, startDoorStage } from './door-stage.ts';
import { got, LINE } from './player.ts';

let stage: DoorStage;
before(async () => {
  stage = await startDoorStage();
});
after(() => stage.stop());

const messages = [{ role: 'user' as const, content: 'word '.repeat(LARGE) }];
const DAY_MS = 86_400_000;

function client(key: string, gateway = stage.one): OpenAI {
  return new OpenAI({ apiKey: key, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
}

function chunk(content: string): Buffer {
  const choices = [{ index: 0, delta: { content }, finish_reason: null }];
  const json = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: LINE, choices };
  return Buffer.from(`data: ${JSON.stringify(json)}\n\n`);
}
const DONE = Buffer.from('data: [DONE]\n\n');

/** What a stream has brought, as it comes. */
function reading(stream: AsyncIterable<OpenAI.ChatCompletionChunk>) {
  const heard: string[] = [];
  const ended = (async () => {
    for await (const one of stream) heard.push(one.choices[0]?.delta.content ?? '');
  })();
  ended.catch(() => undefined);
  return { heard, ended };
}

test('the official client gets its stream piece by piece, as the worker gets it', async () => {
  const { player, keyOf, jobOf } = stage;
  const key = await keyOf('streams');
  const { heard, ended } = await (async () => {
    const asked = client(key).chat.completions.create({ model: LINE, stream: true, messages });
    const { id } = await jobOf('streams');
    const attempt = await player.begin(id);
    const writer = player.stream(id, attempt);
    writer.append(chunk('Good '));
    const listening = reading(await asked);
    await until(() => listening.heard.length === 1, 'the first piece');
    writer.append(chunk('day.'));
    await until(() => listening.heard.length === 2, 'the second piece');
    writer.append(DONE);
    got(await writer.close(5_000));
    await player.complete(id, attempt);
    return listening;
  })();
  await ended;
  assert.deepEqual(heard, ['Good ', 'day.']);
});

test('a client that does not stream gets the answer with its status, and the log names the job', async () => {
  const { player, keyOf, jobOf, one } = stage;
  const key = await keyOf('plain');
  const asked = client(key).chat.completions.create({ model: LINE, messages }).withResponse();
  const { id, via } = await jobOf('plain');
  assert.equal(via, 'held');
  await player.complete(id, await player.begin(id), Buffer.from(completion(LINE)));
  const { data, response } = await asked;
  assert.equal(data.choices[0]?.message.content, 'Good day.');
  assert.equal(response.headers.get('x-sluice-job'), id);
  let line: Record<string, unknown> | undefined;
  await until(async () => {
    line = (await one.logLines(1)).find(({ job }) => job === id);
    return line !== undefined;
  }, 'the log line');
  assert.deepEqual([line?.status, line?.answered_from, line?.outcome], [200, 'job', 'completed']);
});

test('the loss of a worker before the first piece is invisible', async () => {
  const { player, keyOf, jobOf } = stage;
  const asked = client(await keyOf('lucky')).chat.completions.create({ model: LINE, stream: true, messages });
  const { id } = await jobOf('lucky');
  await player.begin(id);
  const second = await player.beginAgain(id);
  const writer = player.stream(id, second);
  writer.append(Buffer.concat([chunk('Good day.'), DONE]));
  got(await writer.close(5_000));
  await player.complete(id, second);
  const { heard, ended } = reading(await asked);
  await ended;
  assert.deepEqual(heard, ['Good day.']);
});

test('behind the first piece it ends the stream with an error, which the client throws', async () => {
  const { player, keyOf, jobOf } = stage;
  const asked = client(await keyOf('unlucky')).chat.completions.create({
    ...{ model: LINE, stream: true, messages },
  });
  const { id } = await jobOf('unlucky');
  player.stream(id, await player.begin(id)).append(chunk('Good '));
  const { heard, ended } = reading((await asked) as AsyncIterable<OpenAI.ChatCompletionChunk>);
  await until(() => heard.length === 1, 'the first piece');
  await player.beginAgain(id);
  await assert.rejects(ended, /broke off its answer/);
});

test('a job that fails or is cancelled before its answer has begun is an error with its status', async () => {
  const { player, keyOf, jobOf, post } = stage;
  const key = await keyOf('failing');
  const failing = post(key, prompt(LARGE, { stream: true }));
  const first = await jobOf('failing', 1);
  await player.fail(first.id, await player.begin(first.id));
  assert.match(assertRefused(await failing, 'upstream_error').message, /It broke/);
  const cancelled = post(key, prompt(LARGE));
  const second = await jobOf('failing', 2);
  got(await player.table.cancel(second.id, 'failing', 'test'));
  assertRefused(await cancelled, 'job_cancelled');
});

test('who waits longer than the tenant lets him gets 202, and the job goes on without him', async () => {
  const { player, keyOf, post } = stage;
  const reply = await post(await keyOf('patient', { hold_seconds: 1 }), prompt(LARGE));
  assert.equal(reply.status, 202, reply.body.toString());
  const job = JSON.parse(reply.body.toString()) as { id: string; status: string };
  assert.equal(job.status, 'queued');
  assert.equal(reply.headers.location, `/v1/jobs/${job.id}`);
  const record = got(await player.table.find(job.id));
  assert.deepEqual([record?.via, record?.status], ['async', 'queued']);
  await player.complete(job.id, await player.begin(job.id), Buffer.from(completion(LINE)));
});

test("the client's own retry joins the job that was held for it, through another replica", async () => {
  const { player, keyOf, jobOf, post, other } = stage;
  const key = await keyOf('retrying');
  const left = new AbortController();
  const first = fetch(`${stage.one.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: prompt(LARGE),
    signal: left.signal,
  });
  const { id } = await jobOf('retrying');
  left.abort();
  await assert.rejects(first);
  const again = post(key, prompt(LARGE), { 'x-stainless-retry-count': '1' }, other);
  const fresh = post(key, prompt(LARGE), { 'x-stainless-retry-count': '0' }, other);
  const second = await jobOf('retrying', 2);
  assert.notEqual(second.id, id, 'what is no retry is a job of its own');
  const attempt = await player.begin(id);
  await player.complete(id, attempt, Buffer.from(completion(LINE)));
  assert.equal((await again).headers['x-sluice-job'], id);
  assert.equal((await again).status, 200);
  await player.complete(second.id, await player.begin(second.id), Buffer.from(completion(LINE)));
  assert.equal((await fresh).headers['x-sluice-job'], second.id);
  assert.equal(got(await player.table.list('retrying', 0, 10)).length, 2);
});

test('a tenant over its limit who would rather wait waits', async () => {
  const { player, keyOf, jobOf, post, upstream } = stage;
  const limits = { requests_per_minute: 60, burst_requests: 1 };
  const key = await keyOf('busy', { limits, over_limit: 'hold' });
  const sent = upstream.requests.length;
  assert.equal((await post(key, prompt(1))).status, 200);
  const waiting = post(key, prompt(1));
  const { id, expires_at_ms, created_at_ms } = await jobOf('busy');
  assert.equal(expires_at_ms - created_at_ms, DAY_MS);
  await player.complete(id, await player.begin(id), Buffer.from(completion(LINE)));
  assert.equal((await waiting).status, 200);
  assert.equal(upstream.requests.length, sent + 1, 'the gateway itself has sent one of the two');
  const refused = await keyOf('refused', { limits });
  await post(refused, prompt(1));
  assertRefused(await post(refused, prompt(1)), 'rate_limit_exceeded');
});

test('a route to a plain server answers a held call with the bytes and the type of that server', async () => {
  const { player, keyOf, jobOf, one } = stage;
  const key = await keyOf('predicting');
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'text/plain', prefer: 'wait=30' };
  const asked = send(one.url, '/predict?a=b', { headers, body: 'how much?' });
  const { id } = await jobOf('predicting');
  const { spec, body } = await stage.requestOf(id);
  assert.deepEqual(
    [spec.kind, spec.line, spec.query, spec.content_type, body.toString()],
    ['pass_through', '/predict', 'a=b', 'text/plain', 'how much?'],
  );
  got(await player.table.pick('/predict', 1));
  await player.complete(id, await player.beginAgain(id), Buffer.from('42 %'), 'text/x-answer');
  const reply = await asked;
  assert.deepEqual(
    [reply.status, reply.headers['content-type'], reply.body.toString()],
    [200, 'text/x-answer', '42 %'],
  );
  assert.equal(reply.headers['preference-applied'], 'wait=30');
});

test('a replica that is told to end hands its held callers on, and their retry joins the job elsewhere', async () => {
  const { player, keyOf, jobOf, post, one, other } = stage;
  const key = await keyOf('moving');
  const held = post(key, prompt(LARGE, { stream: true }), {}, other);
  const { id } = await jobOf('moving');
  other.process.kill('SIGTERM');
  assertRefused(await held, 'draining');
  const again = post(key, prompt(LARGE, { stream: true }), { 'x-stainless-retry-count': '1' }, one);
  const attempt = await player.begin(id);
  const writer = player.stream(id, attempt);
  writer.append(Buffer.concat([chunk('Good day.'), DONE]));
  got(await writer.close(5_000));
  await player.complete(id, attempt);
  assert.equal((await again).headers['x-sluice-job'], id);
  assert.match((await again).body.toString(), /Good day/);
});
