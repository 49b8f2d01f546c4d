/** Whoever listens to a job hears each token once and in order, also when he comes again through another replica. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { until } from '../../support/gateway.ts';
import { assertRefused } from '../client.ts';
import { ask, listen, type Stage, startStage } from './player.ts';

let stage: Stage;
before(async () => {
  stage = await startStage();
});
after(() => stage.stop());

const ENOUGH_MS = 5_000;

function chunk(text: string): string {
  return JSON.stringify({ choices: [{ delta: { content: text } }] });
}

function streamed(...texts: string[]): Buffer {
  return Buffer.from(texts.map((text) => `data: ${chunk(text)}\n\n`).join(''));
}

test('a listener hears the job begin, its tokens while they come, and its end', async () => {
  const { one, player } = stage;
  const id = await player.accept();
  const reader = await listen(one, id);
  const queued = JSON.parse((await reader.until('status')).data);
  assert.deepEqual([queued.status, queued.position], ['queued', 1]);

  const attempt = await player.begin(id);
  assert.equal(JSON.parse((await reader.until('status')).data).status, 'in_progress');
  const writer = player.stream(id, attempt);
  writer.append(streamed('Good'));
  assert.equal((await reader.until('chunk')).data, chunk('Good'));
  writer.append(Buffer.from(': a comment\n\n'));
  writer.append(Buffer.from(`event: delta\r\ndata: ${chunk('day')}\r\n\r\n`));
  assert.equal((await reader.until('chunk')).data, chunk('day'));
  writer.append(Buffer.from('data: [DONE]\n\n'));
  await writer.close(ENOUGH_MS);
  await player.complete(id, attempt);

  const done = JSON.parse((await reader.until('done')).data);
  assert.deepEqual([done.status, done.usage.output_tokens], ['completed', 3]);
  const names = (await reader.rest()).map(({ name }) => name);
  assert.deepEqual(names, ['status', 'status', 'chunk', 'chunk', 'done']);
});

test('who comes again through another replica, behind any event, misses none and hears none twice', async () => {
  const { one, other, player } = stage;
  const id = await player.accept();
  const attempt = await player.begin(id);
  const writer = player.stream(id, attempt);
  // Several to a piece; one over the end of a piece, whose empty line is torn in two.
  const texts = [
    'a',
    'b',
    `${'x'.repeat(255 * 1024 - 3 - streamed('').length)}`,
    'c',
    'y'.repeat(600_000),
    'd',
  ];
  writer.append(streamed(...texts.slice(0, 2)));
  for (const text of texts.slice(2)) writer.append(streamed(text));
  await writer.close(ENOUGH_MS);
  const whole = await listen(one, id);
  while (whole.chunks().length < texts.length) await whole.until('chunk');
  await player.complete(id, attempt);
  await whole.rest();
  assert.deepEqual(whole.chunks(), texts.map(chunk));

  const heard = whole.events.filter(({ name }) => name === 'chunk');
  assert.equal(new Set(heard.map((event) => event.id)).size, texts.length);
  for (const [index, event] of heard.entries()) {
    const again = await listen(other, id, { 'last-event-id': String(event.id) });
    const rest = (await again.rest()).filter(({ name }) => name === 'chunk');
    assert.deepEqual(rest, heard.slice(index + 1), `behind ${event.id}`);
  }
});

test('a listener that changes replicas while the tokens come has the whole answer', async () => {
  const { one, other, player } = stage;
  const id = await player.accept();
  const attempt = await player.begin(id);
  const writer = player.stream(id, attempt);
  const texts = Array.from({ length: 40 }, (_, index) => `token ${index}`);
  const heard: string[] = [];
  let last: string | undefined;
  let reader = await listen(one, id);
  for (const [index, text] of texts.entries()) {
    writer.append(streamed(text));
    const event = await reader.until('chunk');
    heard.push(event.data);
    last = event.id;
    if (index % 10 !== 9) continue;
    reader.leave();
    writer.append(streamed(`${text}, unheard`));
    reader = await listen(index % 20 === 9 ? other : one, id, { 'last-event-id': String(last) });
    heard.push((await reader.until('chunk')).data);
  }
  await writer.close(ENOUGH_MS);
  await player.complete(id, attempt);
  await reader.until('done');
  const said = texts.flatMap((text, index) => (index % 10 === 9 ? [text, `${text}, unheard`] : [text]));
  assert.deepEqual(heard, said.map(chunk));
});

test('another attempt voids what came before, for those who listen and for those who come again', async () => {
  const { one, other, player } = stage;
  const id = await player.accept();
  const first = player.stream(id, await player.begin(id));
  first.append(streamed('lost'));
  const reader = await listen(one, id);
  const lost = await reader.until('chunk');

  const attempt = await player.beginAgain(id);
  const second = player.stream(id, attempt);
  second.append(streamed('found'));
  assert.deepEqual(JSON.parse((await reader.until('attempt')).data), { attempt: 2 });
  assert.equal((await reader.until('chunk')).data, chunk('found'));
  const again = await listen(other, id, { 'last-event-id': String(lost.id) });
  await again.until('attempt');
  assert.equal((await again.until('chunk')).data, chunk('found'));
  const late = await listen(other, id);

  first.append(streamed('a ghost'));
  await second.close(ENOUGH_MS);
  await player.complete(id, attempt);
  for (const one of [reader, again, late]) {
    await one.until('done');
    assert.equal(one.chunks().at(-1), chunk('found'));
  }
  assert.deepEqual(late.chunks(), [chunk('found')]);
  assert.ok(late.events.every(({ name }) => name !== 'attempt'));
});

test('a job without a stream, one that fails and one that is deleted end their listeners too', async () => {
  const { one, other, player } = stage;
  const [whole, failing, deleted] = [await player.accept(), await player.accept(), await player.accept()];
  const readers = await Promise.all([listen(one, whole), listen(one, failing), listen(one, deleted)]);
  for (const reader of readers) await reader.until('status');

  await player.complete(whole, await player.begin(whole), Buffer.from('{}'));
  await player.fail(failing, await player.begin(failing));
  await ask(other, `/${deleted}`, { method: 'DELETE' });
  const ends = await Promise.all(readers.map(async (reader) => (await reader.rest()).at(-1)));
  assert.deepEqual(
    ends.map((event) => [event?.name, JSON.parse(String(event?.data)).status]),
    [
      ['done', 'completed'],
      ['done', 'failed'],
      ['error', undefined],
    ],
  );
  assert.equal(JSON.parse(String(ends[1]?.data)).error.code, 'upstream_error');
  assert.equal(JSON.parse(String(ends[2]?.data)).error.code, 'job_not_found');
});

test('an id of events that nobody has sent begins at the beginning', async () => {
  const { one, player } = stage;
  const id = await player.accept();
  const attempt = await player.begin(id);
  const writer = player.stream(id, attempt);
  writer.append(streamed('one'));
  await writer.close(ENOUGH_MS);
  await player.complete(id, attempt);
  for (const strange of ['7.1.1', 'x', '1.1', '-1.0.0', '1.0.0']) {
    const reader = await listen(one, id, { 'last-event-id': strange });
    await reader.rest();
    assert.deepEqual(reader.chunks(), [chunk('one')], strange);
  }
});

test('a listener who does not read is not read for, and gets all when he does', async (t) => {
  const { one, player, redis } = stage;
  const id = await player.accept();
  const attempt = await player.begin(id);
  const writer = player.stream(id, attempt);
  const COUNT = 200;
  for (let count = 0; count < COUNT; count += 1) writer.append(streamed('z'.repeat(250_000)));
  await writer.close(ENOUGH_MS);
  await player.complete(id, attempt);
  const client = new Redis(redis.url);
  const readsSoFar = async () =>
    Number(/cmdstat_hmget:calls=(\d+)/.exec(await client.info('commandstats'))?.[1]);

  const before = await readsSoFar();
  const reader = await listen(one, id);
  reader.pause();
  let reads = before;
  await until(async () => {
    const seen = reads;
    await setTimeout(100);
    reads = await readsSoFar();
    return seen > before && reads === seen;
  }, 'the reading to stop');
  t.diagnostic(`${reads - before} readings while nobody took anything`);
  assert.ok(reads - before < COUNT / 4, 'two pieces a reading');
  reader.resume();
  await reader.rest();
  assert.equal(reader.chunks().length, COUNT);
  assert.ok((await readsSoFar()) > reads);
  client.disconnect();
});

test('a job that is not there has no events', async () => {
  assertRefused(await ask(stage.one, `/job_${'a'.repeat(26)}/events`), 'job_not_found');
});
