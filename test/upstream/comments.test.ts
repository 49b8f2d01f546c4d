/** A silent stream is kept alive by comments, at the right time and in the right place only. */
import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { mock, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { Call } from '../../src/core/call.ts';
import type { Refusal } from '../../src/core/errors.ts';
import { Relay } from '../../src/upstream/relay.ts';
import { Upstream } from '../../src/upstream/upstream.ts';

const EVENT = 'data: {"choices":[]}\n\n';
const COMMENT = ': keep-alive\n\n';
const EVERY_MS = 15_000;

/** The caller's connection: keeps what is written; takes nothing more while it is stopped. */
class Wire extends Duplex {
  text = '';
  isStopped = false;
  override _read(): void {}
  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.text += piece.toString();
    if (!this.isStopped) done();
  }
}

/** A relay whose server is played by the test, on a clock that only the test moves. */
function openRelay(t: TestContext) {
  let nowMs = 1_000;
  t.mock.method(performance, 'now', () => nowMs);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let server: Dispatcher.DispatchHandler | undefined;
  const upstream = new Upstream({
    name: 'played',
    url: 'http://127.0.0.1:1',
    apiKey: undefined,
    discover: false,
  });
  const dispatch = (_options: unknown, handler: Dispatcher.DispatchHandler) => {
    server = handler;
    return true;
  };
  t.mock.method(upstream, 'connections', () => ({ dispatch }));
  const wire = new Wire({ writableHighWaterMark: 1_024 });
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  response.assignSocket(wire as unknown as Socket);
  response.useChunkedEncodingByDefault = false;
  let refused: Refusal | undefined;
  const call = new Call({
    requestId: 'r',
    method: 'POST',
    route: '/',
    clientAddress: '::1',
    startedAtMs: nowMs,
  });
  const relay = new Relay({
    call,
    upstream,
    caller: {
      response,
      head: (status) => void response.writeHead(status, ['content-type', 'text/event-stream']).flushHeaders(),
      refuse: (refusal) => {
        refused = refusal;
      },
    },
    request: { method: 'POST', path: '/', headers: [], body: null },
    limits: { connect_ms: 1_000, first_byte_ms: 60_000, idle_ms: 60_000, total_ms: 200_000 },
    replayable: true,
    shape: { kind: 'openai', upstreamModel: 'm', model: undefined, dropUsageChunk: false, ending: 'done' },
  });
  relay.start();
  const controller = { pause: mock.fn(), resume: mock.fn(), abort: mock.fn(), aborted: false };
  const played = controller as unknown as Dispatcher.DispatchController;
  server?.onRequestStart?.(played, {});
  return {
    wire,
    refused: () => refused,
    /** What the caller has got, without the headers. */
    async body() {
      await nextTurn(); // Node gathers the writes of one turn
      return wire.text.slice(wire.text.indexOf('\r\n\r\n') + 4);
    },
    headers: () => server?.onResponseStart?.(played, 200, { 'content-type': 'text/event-stream' }, 'OK'),
    data: (text: string) => server?.onResponseData?.(played, Buffer.from(text)),
    end: () => server?.onResponseEnd?.(played, {}),
    wait(ms: number) {
      for (let passed = 0; passed < ms; passed += 100) {
        nowMs += 100;
        t.mock.timers.tick(100);
      }
    },
  };
}

test('before the headers of the server nothing is sent: the answer may yet become an error', async (t) => {
  const relay = openRelay(t);
  relay.wait(59_900);
  assert.equal(relay.wire.text, '');
  relay.wait(200);
  assert.equal(relay.refused()?.name, 'upstream_timeout');
});

test('between its headers and its first event there is a comment every 15 s', async (t) => {
  const relay = openRelay(t);
  relay.headers();
  relay.wait(EVERY_MS - 100);
  assert.equal(relay.wire.text, '');
  relay.wait(200);
  assert.equal(await relay.body(), COMMENT);
  relay.wait(EVERY_MS);
  assert.equal(await relay.body(), COMMENT.repeat(2));
  relay.data(`${EVENT}data: [DONE]\n\n`);
  relay.end();
  assert.equal(await relay.body(), `${COMMENT.repeat(2)}${EVENT}data: [DONE]\n\n`);
});

test('every event starts the 15 s anew', async (t) => {
  const relay = openRelay(t);
  relay.headers();
  for (let round = 0; round < 5; round += 1) {
    relay.data(EVENT);
    relay.wait(EVERY_MS - 1_000);
  }
  assert.equal(await relay.body(), EVENT.repeat(5));
  relay.wait(1_100);
  assert.equal(await relay.body(), EVENT.repeat(5) + COMMENT);
});

test('inside an event there is none, and it is whole when its rest has come', async (t) => {
  const relay = openRelay(t);
  relay.headers();
  relay.data(`${EVENT}data: {"cho`);
  relay.wait(3 * EVERY_MS);
  assert.equal(await relay.body(), EVENT);
  relay.data('ices":[]}\n\n');
  assert.equal(await relay.body(), EVENT + EVENT);
  relay.wait(EVERY_MS + 100);
  assert.equal(await relay.body(), EVENT + EVENT + COMMENT);
});

test('a caller who does not read gets none: they would only pile up', async (t) => {
  const relay = openRelay(t);
  relay.headers();
  relay.wire.isStopped = true;
  relay.data(EVENT.repeat(20_000));
  const { length } = await relay.body();
  relay.wait(3 * EVERY_MS);
  assert.equal((await relay.body()).length, length);
});

test('behind the end there is none', async (t) => {
  const relay = openRelay(t);
  relay.headers();
  relay.data('data: [DONE]\n\n');
  relay.end();
  relay.wait(5 * EVERY_MS);
  assert.equal(await relay.body(), 'data: [DONE]\n\n');
});
