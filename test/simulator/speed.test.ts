/** Fast enough to stand behind a gateway that is measured. The figure is printed; the bound is generous. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { hello, startSimulator } from './support/simulator.ts';

const CONNECTIONS = 16;
const CALLS = 8_000;

test('thousands of small chat answers a second', async (t) => {
  const { url, state } = await startSimulator(t, { tokens: 8 });
  const body = JSON.stringify(hello);
  const request = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const { hostname, port } = new URL(url);
  let left = CALLS;
  const connection = async () => {
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    // Each answer is one write on the loopback, so its end is the end of a segment.
    socket.on('data', (bytes) => {
      if (bytes.at(-1) !== 0x7d) return;
      if (left-- > 0) socket.write(request);
      else socket.destroy();
    });
    socket.write(request);
    await once(socket, 'close');
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  const perSecond = state.counts.finished / ((performance.now() - startedMs) / 1_000);
  t.diagnostic(`${perSecond.toFixed()} answers/s, client in the same process`);
  assert.equal(state.counts.finished, CALLS + CONNECTIONS);
  assert.ok(perSecond > 500);
});
