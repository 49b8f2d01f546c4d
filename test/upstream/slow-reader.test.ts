/** A client that reads slowly gets every byte in order; one that leaves the last bytes unread is cut. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../support/gateway.ts';
import { openSocket, post } from './support/caller.ts';
import { simulated } from './support/simulated.ts';

const house = simulated({ timeouts: { idle_ms: 1_000 } });
const sockets: Socket[] = [];
after(() => {
  for (const socket of sockets) socket.destroy();
});

async function readSlowly(stream: boolean, content: string): Promise<string> {
  const { gateway } = house;
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'public', stream, messages: [{ role: 'user', content }] }),
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.body ?? []) {
    pieces.push(piece as Uint8Array);
    if (pieces.length % 10 === 0) await pause(5);
  }
  return Buffer.concat(pieces).toString();
}

test('a slow reader of a stream gets all of its events, whole and in order', async () => {
  const content = 'a long stream';
  house.simulator.state.addFault({ prompt: content, answer_bytes: 5_000_000 });
  const text = await readSlowly(true, content);
  assert.ok(text.length > 4_000_000);
  const events = text.split('\n\n');
  assert.deepEqual(events.splice(-2), ['data: [DONE]', '']);
  const words: string[] = [];
  for (const event of events) {
    const { choices } = JSON.parse(event.slice('data: '.length)) as {
      choices: { delta: { content?: string } }[];
    };
    if (choices[0]?.delta.content) words.push(choices[0].delta.content);
  }
  // The simulator says its 32 tokens again and again.
  for (const [index, word] of words.entries()) assert.equal(word, words[index % 32]);
});

test('a slow reader of a JSON answer gets all of it', async () => {
  const content = 'a long text';
  house.simulator.state.addFault({ prompt: content, answer_bytes: 5_000_000 });
  const { choices } = JSON.parse(await readSlowly(false, content)) as {
    choices: { message: { content: string } }[];
  };
  assert.match(choices[0]?.message.content ?? '', /^This {5000000} is a/);
});

test('who leaves the last bytes of an answer unread is cut after the idle time', async () => {
  const { gateway, simulator } = house;
  // Somewhere in here an answer just does not fit into the buffers of the system.
  const before = simulator.state.counts.started;
  let calls = 0;
  for (let kib = 64; kib <= 6_400; kib += 64) {
    const content = `exactly ${kib} KiB`;
    simulator.state.addFault({ prompt: content, answer_bytes: kib * 1_024 });
    const socket = await openSocket(gateway.url);
    sockets.push(socket.pause().on('error', () => undefined));
    const messages = [{ role: 'user', content }];
    const stream = kib % 128 === 0;
    socket.write(post(gateway, '/v1/chat/completions', { model: 'public', stream, messages }));
    calls += 1;
  }
  await until(() => simulator.state.counts.started === before + calls, 'all of them to arrive', 30_000);
  const nothingRuns = async () => (await gateway.metric('sluice_requests_in_flight')) === 0;
  await until(nothingRuns, 'no request in flight', 30_000);
  assert.equal(simulator.state.counts.running, 0);
});
