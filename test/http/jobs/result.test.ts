/** An answer comes out as it went in, byte for byte, however large, and no faster than it is taken. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { assertRefused } from '../client.ts';
import { ask, got, read, type Stage, startStage } from './player.ts';

let stage: Stage;
before(async () => {
  stage = await startStage();
});
after(() => stage.stop());

async function completed(answer: Buffer, contentType?: string): Promise<string> {
  const { player } = stage;
  const id = await player.accept();
  await player.complete(id, await player.begin(id), answer, contentType);
  return id;
}

test('20 MB come out as they went in, by themselves and within the job', async (t) => {
  const text = randomBytes(7_500_000).toString('base64');
  const answer = Buffer.from(JSON.stringify({ text, more: 'x'.repeat(10_000_000) }));
  const id = await completed(answer);
  const alone = await ask(stage.one, `/${id}/result`);
  assert.match(String(alone.headers['content-type']), /^application\/json/);
  assert.equal(sha(alone.body), sha(answer));
  const within = read(await ask(stage.other, `/${id}`));
  assert.equal(sha(Buffer.from(JSON.stringify(within.result))), sha(answer));
  t.diagnostic(`${answer.length} bytes: ${alone.tookMs.toFixed(0)} ms`);
});

test('an answer that is no JSON has its type, and is not part of the job', async () => {
  const image = randomBytes(100_000);
  const id = await completed(image, 'image/png');
  const reply = await ask(stage.one, `/${id}/result`);
  assert.deepEqual([reply.headers['content-type'], sha(reply.body)], ['image/png', sha(image)]);
  assert.equal(read(await ask(stage.one, `/${id}`)).result, null);
  const broken = await completed(Buffer.from('{"a":'));
  assert.equal(read(await ask(stage.one, `/${broken}`)).result, null);
  assert.equal((await ask(stage.one, `/${broken}/result`)).body.toString(), '{"a":');
});

test('of a streamed answer the whole stream can be had', async () => {
  const { one, player } = stage;
  const id = await player.accept();
  const attempt = await player.begin(id);
  const writer = player.stream(id, attempt);
  const said = Array.from({ length: 40 }, (_, index) => `data: ${index} ${'y'.repeat(100_000)}\n\n`);
  for (const event of said) writer.append(Buffer.from(event));
  await writer.close(5_000);
  await player.complete(id, attempt);
  const reply = await ask(one, `/${id}/result`);
  assert.match(String(reply.headers['content-type']), /^text\/event-stream/);
  assert.equal(sha(reply.body), sha(Buffer.from(said.join(''))));
  assert.equal(read(await ask(one, `/${id}`)).result, null);
});

test('before its end, and when the answer has gone, there is none', async () => {
  const { one, player } = stage;
  const waiting = await player.accept();
  assertRefused(await ask(one, `/${waiting}/result`), 'job_has_no_answer');
  got(await player.table.cancel(waiting, undefined, 'test'));
  assertRefused(await ask(one, `/${waiting}/result`), 'job_has_no_answer');
  const id = await completed(Buffer.from('{}'));
  got(await player.payloads.delete(id, 1));
  assertRefused(await ask(one, `/${id}/result`), 'job_has_no_answer');
  assert.equal(read(await ask(one, `/${id}`)).status, 'completed');
});

test('an answer that is damaged is cut, so that nobody takes it for whole', async () => {
  const { one, player } = stage;
  const id = await completed(randomBytes(3_000_000), 'application/octet-stream');
  const { keys, ask: askRedis } = player.connection;
  got(await askRedis((client) => client.hset(keys.result(id, 1), '5', 'x')));
  await assert.rejects(ask(one, `/${id}/result`));
  assert.equal((await ask(one, `/${id}`)).status, 200);
});

function sha(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
