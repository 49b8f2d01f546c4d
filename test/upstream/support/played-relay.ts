/** A relay between a server and a caller that the test plays, on a clock that only the test moves. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { mock, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { Call } from '../../../src/core/call.ts';
import type { Refusal } from '../../../src/core/errors.ts';
import { Attempts } from '../../../src/upstream/attempts.ts';
import { Relay } from '../../../src/upstream/relay.ts';
import { Upstream } from '../../../src/upstream/upstream.ts';

export const IDLE_MS = 60_000;

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

export function playRelay(t: TestContext) {
  let nowMs = 1_000;
  t.mock.method(performance, 'now', () => nowMs);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let server: Dispatcher.DispatchHandler | undefined;
  const upstream = new Upstream({
    name: 'played',
    url: 'http://127.0.0.1:1',
    apiKey: undefined,
    discover: false,
    gpus: 1,
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
  const first = {
    upstream,
    ...{ method: 'POST', path: '/', headers: [], body: null },
    shape: {
      ...{ kind: 'openai' as const, upstreamModel: 'm', model: undefined, lastMember: undefined },
      ...{ dropUsageChunk: false, ending: 'done' as const },
    },
  };
  const limits = { first_byte_ms: 60_000, idle_ms: IDLE_MS, total_ms: 200_000 };
  const route = { first, another: () => undefined };
  const relay = new Relay({
    call,
    caller: {
      response,
      head: (status) => void response.writeHead(status, ['content-type', 'text/event-stream']).flushHeaders(),
      ended: () => undefined,
      refuse: (refusal) => {
        refused = refusal;
      },
    },
    source: new Attempts({ call, route, connectTimeoutMs: 1_000, replayable: true }),
    limits,
  });
  relay.start();
  const controller = { pause: mock.fn(), resume: mock.fn(), abort: mock.fn(), aborted: false };
  const played = controller as unknown as Dispatcher.DispatchController;
  server?.onRequestStart?.(played, {});
  return {
    wire,
    response,
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
