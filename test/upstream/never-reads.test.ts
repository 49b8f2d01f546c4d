/** A client that does not read costs a bounded piece of memory for a bounded time, and nobody else anything. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { after, test } from 'node:test';
import { until } from '../support/gateway.ts';
import { openSocket, post } from './support/caller.ts';
import { simulated } from './support/simulated.ts';

const CLIENTS = 100;
const ANSWER_BYTES = 16_777_216;
/** What is promised; a noisy machine is given three times that. */
const GROWTH_MIB = 50;

// Under the server's own name for its model: changing 16 MiB event by event is another matter.
const house = simulated(
  { timeouts: { idle_ms: 15_000 }, model: { upstream_model: 'public' } },
  { models: ['public'] },
);
const sockets: Socket[] = [];
after(() => {
  for (const socket of sockets) socket.destroy();
});

function residentMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
}

async function ask(content: string): Promise<number> {
  const { gateway } = house;
  const startedAtMs = performance.now();
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'public', messages: [{ role: 'user', content }] }),
  });
  await answer.json();
  assert.equal(answer.status, 200);
  return performance.now() - startedAtMs;
}

async function sendAndNeverRead(stream: boolean, content: string): Promise<void> {
  const { gateway } = house;
  const socket = await openSocket(gateway.url);
  socket.pause();
  socket.on('error', () => undefined);
  sockets.push(socket);
  const messages = [{ role: 'user', content }];
  socket.write(post(gateway, '/v1/chat/completions', { model: 'public', stream, messages }));
}

test('100 clients that never read 16 MiB each: memory stays, others are served, and they are cut', async (t) => {
  const { gateway, simulator } = house;
  simulator.state.addFault({ prompt: 'much', answer_bytes: ANSWER_BYTES });
  for (let round = 0; round < 100; round += 1) await ask('warm up');
  const pid = gateway.process.pid ?? 0;
  const beforeMib = residentMib(pid);
  const heldBefore = await gateway.metric('nodejs_external_memory_bytes');
  const { counts } = simulator.state;

  await Promise.all(Array.from({ length: CLIENTS }, (_, index) => sendAndNeverRead(index % 2 === 0, 'much')));
  await until(() => counts.running === CLIENTS, 'all of them to be answered', 90_000);
  let peakMib = 0;
  const tookMs: number[] = [];
  for (let round = 0; round < 100; round += 1) {
    tookMs.push(await ask('a word between'));
    peakMib = Math.max(peakMib, residentMib(pid));
  }
  assert.ok(counts.running > CLIENTS / 2, 'they were still there');
  const heldMib = ((await gateway.metric('nodejs_external_memory_bytes')) - heldBefore) / 1_048_576;
  const grownMib = peakMib - beforeMib;
  tookMs.sort((one, other) => one - other);
  const [middleMs = 0, slowestMs = 0] = [tookMs.at(50), tookMs.at(-1)];
  t.diagnostic(
    `${beforeMib.toFixed(0)} MiB before, ${grownMib.toFixed(0)} MiB more with ${CLIENTS} that do not read`,
  );
  t.diagnostic(
    `${heldMib.toFixed(0)} MiB of it in buffers; the rest is what the allocator has not given back`,
  );
  t.diagnostic(`100 other calls: median ${middleMs.toFixed(1)} ms, slowest ${slowestMs.toFixed(1)} ms`);
  assert.ok(grownMib < GROWTH_MIB * 3, `${grownMib} MiB`);
  assert.ok(heldMib < GROWTH_MIB * 3, `${heldMib} MiB in buffers`);
  // The slowest one met the moment in which all the buffers of the system were being filled.
  assert.ok(middleMs < 100, `${middleMs} ms`);
  assert.ok(slowestMs < 3_000, `${slowestMs} ms`);

  await until(() => counts.running === 0, 'their calls to be ended', 30_000);
  await until(async () => (await gateway.metric('sluice_requests_in_flight')) === 0, 'no request in flight');
  const lines = (await gateway.logLines(300)).filter(({ outcome }) => outcome !== 'completed');
  assert.equal(lines.length, CLIENTS);
  assert.deepEqual([...new Set(lines.map(({ outcome }) => outcome))], ['client_gone']);
});
