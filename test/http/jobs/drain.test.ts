/** A replica that leaves lets those who wait for jobs go at once, and they go on with another one. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { ask, listen, read, type Stage, startStage } from './player.ts';

let stage: Stage;
before(async () => {
  stage = await startStage();
});
after(() => stage.stop());

test('polls are answered, streams end with an error behind which one goes on elsewhere', async () => {
  const { one, other, player } = stage;
  const id = await player.accept();
  const attempt = await player.begin(id);
  const writer = player.stream(id, attempt);
  writer.append(Buffer.from('data: one\n\n'));
  const reader = await listen(one, id);
  const heard = await reader.until('chunk');
  const waiting = ask(one, `/${id}`, { prefer: 'wait=60' });
  await until(async () => (await one.metric('sluice_requests_in_flight')) === 2);

  const left = once(one.process, 'exit');
  const beganAtMs = performance.now();
  one.process.kill('SIGTERM');
  const reply = await waiting;
  assert.deepEqual([reply.status, read(reply).status], [200, 'in_progress']);
  assert.equal(reply.headers.connection, 'close');
  assert.equal(JSON.parse((await reader.until('error')).data).error.code, 'draining');
  await reader.rest();
  assert.deepEqual(await left, [0, null]);
  assert.ok(performance.now() - beganAtMs < 10_000);

  writer.append(Buffer.from('data: two\n\n'));
  const again = await listen(other, id, { 'last-event-id': String(heard.id) });
  assert.equal((await again.until('chunk')).data, 'two');
  again.leave();
});
