/** Callers read at their own pace; a long answer waits for the slowest, so that memory is bounded. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { openSocket } from '../support/caller.ts';
import { sharingHouse } from './house.ts';

const BYTES_MAX = 1_048_576;
const LONG_BYTES = 16_000_000;
const BUFFERS_MAX = 14 * 1_048_576;

const house = sharingHouse({ firstTokenMs: 300, bytesMax: BYTES_MAX, timeouts: { idle_ms: 800 } });
const sockets: Socket[] = [];
after(() => {
  for (const socket of sockets) socket.destroy();
});

/** Asks and never reads. */
async function neverReads(id: string, content: string): Promise<Socket> {
  const socket = await openSocket(house.url);
  sockets.push(socket.pause().on('error', () => undefined));
  const json = JSON.stringify({ model: 'public', stream: true, messages: [{ role: 'user', content }] });
  const head = ['POST /v1/chat/completions HTTP/1.1', 'host: x', 'content-type: application/json'];
  const more = [`x-request-id: ${id}`, `content-length: ${Buffer.byteLength(json)}`];
  socket.write([...head, ...more, '', json].join('\r\n'));
  return socket;
}

test('who does not read under the bound does not slow the others', async () => {
  const { simulator, ask, exchanges, settled } = house;
  simulator.state.addFault({ prompt: 'short', answer_bytes: 600_000 });
  const { started } = simulator.state.counts;
  await Promise.all(['slow-1', 'slow-2'].map((id) => neverReads(id, 'short')));
  await until(() => exchanges.size === 2);
  const beganAtMs = performance.now();
  const text = await (await ask('fast', { content: 'short' })).text();
  const tookMs = performance.now() - beganAtMs;
  assert.match(text, /data: \[DONE\]\n\n$/);
  assert.equal(simulator.state.counts.started, started + 1);
  assert.ok(tookMs < 1_200, `${tookMs} ms`);
  await until(() => settled.has('fast'));
});

test('over the bound the server waits for one who does not read, until that one is cut', async (t) => {
  const { simulator, ask, observed, ends } = house;
  simulator.state.addFault({ prompt: 'long', answer_bytes: LONG_BYTES });
  const before = process.memoryUsage().arrayBuffers;
  ends.length = 0;
  await neverReads('long-slow', 'long');
  const fast = await ask('long-fast', { content: 'long' });
  let peak = 0;
  let pieces = 0;
  let bytes = 0;
  let last = Buffer.alloc(0);
  for await (const piece of fast.body ?? []) {
    last = Buffer.from(piece as Uint8Array);
    bytes += last.length;
    pieces += 1;
    if (pieces % 16 === 0) peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  }
  t.diagnostic(`${(peak / 1_048_576).toFixed(1)} MiB in buffers`);
  assert.match(last.toString(), /\[DONE\]\n\n$/);
  assert.ok(peak < BUFFERS_MAX, `${peak} bytes`);
  await until(() => observed.has('long-slow') && ends.length > 0);
  assert.equal(observed.get('long-fast')?.bytesOut, bytes);
  assert.ok((observed.get('long-slow')?.bytesOut ?? 0) < bytes / 2);
  assert.equal(ends[0]?.kind, 'too_long');
});

test('nobody joins an answer that has grown over the bound', async () => {
  const { simulator, ask } = house;
  simulator.state.addFault({ prompt: 'grown', answer_bytes: LONG_BYTES });
  const { started } = simulator.state.counts;
  const first = await ask('grown-1', { content: 'grown' });
  const reader = (first.body as ReadableStream<Uint8Array>).getReader();
  for (let bytes = 0; bytes < 2 * BYTES_MAX; ) bytes += (await reader.read()).value?.length ?? 0;
  const second = await ask('grown-2', { content: 'grown' });
  assert.equal(simulator.state.counts.started, started + 2);
  await Promise.all([reader.cancel(), second.body?.cancel()]);
});
