/** A shared call of which the test plays both the server and the readers. */

import type { IncomingHttpHeaders } from 'node:http';
import { mock, type TestContext } from 'node:test';
import type { Dispatcher } from 'undici';
import { Call, type CallEnd } from '../../../src/core/call.ts';
import type { Refusal } from '../../../src/core/errors.ts';
import type {
  Answering,
  AnswerReceiver,
  AnswerSource,
  SharedEnd,
} from '../../../src/upstream/answer-source.ts';
import type { Target } from '../../../src/upstream/attempts.ts';
import type { Cause } from '../../../src/upstream/failure.ts';
import type { Model } from '../../../src/upstream/models.ts';
import { TapeRoom } from '../../../src/upstream/shared/answer-tape.ts';
import { SharedCall } from '../../../src/upstream/shared/shared-call.ts';
import { Upstream } from '../../../src/upstream/upstream.ts';
import { Watch } from '../../../src/upstream/watchdog.ts';

/** Keeps all that it is told. */
export class Listener implements AnswerReceiver {
  readonly source: AnswerSource;
  text = '';
  status = 0;
  answers = 0;
  end: 'finished' | Cause | Refusal | undefined;
  isPaused = false;

  constructor(source: AnswerSource) {
    this.source = source;
  }

  answered(_target: Answering, status: number, _headers: IncomingHttpHeaders): void {
    this.status = status;
    this.answers += 1;
    this.text = '';
  }

  arrived(piece: Buffer): void {
    this.text += piece.toString('latin1');
  }

  finished(): void {
    // As a relay does with a failure of the server before it has passed anything on.
    if (this.status >= 500 && this.source.moveOn('failed')) return;
    this.end = 'finished';
  }

  failed(_target: Answering, cause: Cause): void {
    this.end = cause;
  }

  breakOff(refused: Refusal): void {
    this.end = refused;
  }

  pause(): void {
    this.isPaused = true;
    this.source.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.source.resume();
  }
}

/** A GPU server of which nothing exists but what the test says. */
export class PlayedServer {
  readonly upstream: Upstream;
  isPaused = false;
  isAborted = false;
  #handler: Dispatcher.DispatchHandler | undefined;
  readonly #controller = {
    aborted: false,
    pause: () => {
      this.isPaused = true;
    },
    resume: () => {
      this.isPaused = false;
    },
    abort: () => {
      this.isAborted = true;
    },
  } as unknown as Dispatcher.DispatchController;

  constructor(t: TestContext, name: string) {
    const fixed = { apiKey: undefined, discover: false, gpus: 1 };
    this.upstream = new Upstream({ name, url: 'http://127.0.0.1:1', ...fixed });
    t.mock.method(this.upstream, 'connections', () => ({
      dispatch: (_options: unknown, handler: Dispatcher.DispatchHandler) => {
        this.#handler = handler;
        handler.onRequestStart?.(this.#controller, {});
        return true;
      },
    }));
  }

  get isAsked(): boolean {
    return this.#handler !== undefined;
  }

  get target(): Target {
    return {
      ...{ upstream: this.upstream, method: 'POST', path: '/', headers: [], body: null },
      shape: { kind: 'openai', upstreamModel: 'm', model: undefined, dropUsageChunk: false, ending: 'done' },
    };
  }

  answer(status = 200, contentType = 'text/event-stream'): void {
    this.#handler?.onResponseStart?.(this.#controller, status, { 'content-type': contentType }, '');
  }

  say(text: string): void {
    this.#handler?.onResponseData?.(this.#controller, Buffer.from(text, 'latin1'));
  }

  finish(): void {
    this.#handler?.onResponseEnd?.(this.#controller, {});
  }

  break(): void {
    this.#handler?.onResponseError?.(this.#controller, new Error('other side closed'));
  }
}

export function playShared(
  t: TestContext,
  bytesMax: number,
  servers: readonly [PlayedServer, ...PlayedServer[]],
  room = new TapeRoom(1_000_000),
) {
  const limits = { connect_ms: 1_000, first_byte_ms: 60_000, idle_ms: 60_000, total_ms: 600_000 };
  const start = {
    requestId: 'r',
    method: 'POST',
    route: '/',
    clientAddress: '::1',
    startedAtMs: performance.now(),
  };
  const record = new Call(start);
  const over = mock.fn((_how: CallEnd) => undefined);
  const ends: SharedEnd[] = [];
  let canBeJoined = true;
  const shared = new SharedCall({
    ...{ record, limits, bytesMax, over, room, model: {} as Model, watch: new Watch() },
    cannotBeJoined: () => {
      canBeJoined = false;
    },
  });
  const others = servers.slice(1);
  t.after(() => shared.breakOff({ name: 'draining' } as Refusal));
  return {
    ...{ shared, record, ends },
    join(kept = false): Listener {
      const source = shared.join({
        kept,
        shapeOf: ({ shape }) => shape,
        ended: (end) => void ends.push(end),
      });
      const listener = new Listener(source);
      source.start(listener);
      return listener;
    },
    begin: () => shared.begin({ first: servers[0].target, another: () => others.shift()?.target }),
    ended: () => over.mock.calls.map(({ arguments: [how] }) => how),
    canBeJoined: () => canBeJoined,
  };
}
