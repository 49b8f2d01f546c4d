/**
 * Brings one call to a GPU server, and to another one where the first fails before a byte of an answer has gone out:
 *
 *     reset on a connection that was kept    the same server again, on a new connection: the server may have closed
 *                                            the old one while the request was on its way
 *     reset, no connection, 5xx              another server, where sending the same again is safe
 *     frozen, as its probes say              likewise, without waiting for the time limit
 *
 * Which server is next, and whether there may be a next one at all, the route decides.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Call } from '../core/call.ts';
import { type Cause, causeOfError } from './failure.ts';
import type { FailureKind } from './health/server-health.ts';
import type { Upstream } from './upstream.ts';

/** The request as one server shall get it. */
export interface Target {
  readonly upstream: Upstream;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: Buffer | null;
}

/** Where a call may go. */
export interface Route<T extends Target> {
  readonly first: T;
  /** Another server than those before, if there is one and the budget allows it. */
  another(): T | undefined;
}

/** Hears of the attempt that counts, and of no other. */
export interface AnswerReceiver<T extends Target> {
  answered(target: T, status: number, headers: IncomingHttpHeaders): void;
  arrived(piece: Buffer): void;
  finished(): void;
  failed(target: T, cause: Cause, detail: string): void;
}

interface AttemptsParts<T extends Target> {
  readonly call: Call;
  readonly route: Route<T>;
  readonly receiver: AnswerReceiver<T>;
  readonly connectTimeoutMs: number;
  /** May the same bytes be sent again? */
  readonly replayable: boolean;
}

export class Attempts<T extends Target> {
  readonly #parts: AttemptsParts<T>;
  #current: Attempt<T> | undefined;
  #over = false;

  constructor(parts: AttemptsParts<T>) {
    this.#parts = parts;
  }

  /** The one that is, or was last, asked. */
  get target(): T {
    return this.#current?.target ?? this.#parts.route.first;
  }

  start(): void {
    this.#begin(this.#parts.route.first, false);
  }

  pause(): void {
    this.#current?.controller?.pause();
  }

  resume(): void {
    this.#current?.controller?.resume();
  }

  /** What has come is no fault of the server's. */
  succeeded(): void {
    this.#current?.report(undefined);
  }

  /** The server is at fault, in its answer or by its silence. */
  blame(kind: FailureKind): void {
    this.#current?.report(kind);
  }

  /** True: another server is being asked, and what the last one has said does not count. */
  moveOn(reason: string): boolean {
    const { replayable, route } = this.#parts;
    if (this.#over || !replayable) return false;
    const target = route.another();
    if (!target) return false;
    this.#current?.abort(reason);
    this.#begin(target, false);
    return true;
  }

  /** Nobody waits for it any more. */
  stop(reason: string): void {
    this.#over = true;
    this.#current?.abort(reason);
  }

  #begin(target: T, fresh: boolean): void {
    const { call, connectTimeoutMs } = this.#parts;
    call.attempts += 1;
    call.upstream = target.upstream.name;
    this.#current = new Attempt(target, call, fresh, {
      answered: (status, headers) => this.#parts.receiver.answered(target, status, headers),
      arrived: (piece) => this.#parts.receiver.arrived(piece),
      finished: () => this.#parts.receiver.finished(),
      failed: (attempt, error) => this.#onFailed(attempt, error),
      moveAway: () => this.moveOn('the server is frozen'),
    });
    this.#current.dispatch(connectTimeoutMs);
  }

  #onFailed(attempt: Attempt<T>, error: Error): void {
    const cause = causeOfError(error);
    const { call, replayable, receiver } = this.#parts;
    const mayBeStale = cause === 'reset' && !attempt.hasAnswered && !attempt.isFresh && call.attempts === 1;
    attempt.end();
    if (mayBeStale && replayable && attempt.target.upstream.takesNewConnections(performance.now())) {
      return this.#begin(attempt.target, true);
    }
    if (attempt.isFresh) attempt.target.upstream.newConnectionFailed(performance.now());
    attempt.report(cause === 'connect' ? 'connect' : 'reset');
    if (attempt.hasAnswered || !this.moveOn(error.message)) {
      receiver.failed(attempt.target, cause, error.message);
    }
  }
}

interface AttemptListener<T extends Target> {
  answered(status: number, headers: IncomingHttpHeaders): void;
  arrived(piece: Buffer): void;
  finished(): void;
  failed(attempt: Attempt<T>, error: Error): void;
  moveAway(): void;
}

/** One request on its way to one server. What comes after it has been given up is not heard. */
class Attempt<T extends Target> implements Dispatcher.DispatchHandler {
  readonly target: T;
  /** Sent on a connection of its own. */
  readonly isFresh: boolean;
  controller: Dispatcher.DispatchController | undefined;
  hasAnswered = false;
  /** Where it stands among those that wait for the first byte of this server. */
  place = -1;
  readonly #call: Call;
  readonly #listener: AttemptListener<T>;
  readonly #beganAtMs: number;
  #loadArea = 0;
  #epoch = 0;
  #isOpen = true;
  #isReported = false;

  constructor(target: T, call: Call, isFresh: boolean, listener: AttemptListener<T>) {
    this.target = target;
    this.isFresh = isFresh;
    this.#call = call;
    this.#listener = listener;
    this.#beganAtMs = performance.now();
  }

  dispatch(connectTimeoutMs: number): void {
    const { upstream, method, path, headers, body } = this.target;
    this.#loadArea = upstream.load.begin(this.#beganAtMs);
    this.#epoch = upstream.serverHealth.began(this.#beganAtMs);
    upstream.waiting.add(this);
    const connections = this.isFresh
      ? upstream.freshConnections(connectTimeoutMs)
      : upstream.connections(connectTimeoutMs);
    connections.dispatch(
      {
        method: method as Dispatcher.HttpMethod,
        path: upstream.basePath + path,
        headers: headers as string[],
        body,
      },
      this,
    );
  }

  /** The server is frozen: this call would wait in vain. */
  moveAway(): void {
    this.#listener.moveAway();
  }

  /** @param failure undefined: the server has done its part */
  report(failure: FailureKind | undefined): void {
    const { serverHealth } = this.target.upstream;
    const nowMs = performance.now();
    if (failure) {
      this.#isReported = true;
      return serverHealth.failed(this.#epoch, failure, nowMs);
    }
    if (this.#isReported) return;
    this.#isReported = true;
    const { streamed, model } = this.#call;
    serverHealth.succeeded(this.#epoch, nowMs, streamed ? model : undefined, nowMs - this.#beganAtMs);
  }

  abort(reason: string): void {
    if (!this.#isOpen) return;
    this.end();
    if (!this.#isReported) this.target.upstream.serverHealth.abandoned(this.#epoch);
    if (this.controller && !this.controller.aborted) this.controller.abort(new Error(reason));
  }

  /** The server has no more to do with it. */
  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { upstream } = this.target;
    upstream.waiting.remove(this);
    const nowMs = performance.now();
    const mean = upstream.load.end(this.#loadArea, this.#beganAtMs, nowMs);
    this.#call.upstreamEndedAtMs = nowMs;
    this.#call.gpuMs = ((nowMs - this.#beganAtMs) * upstream.gpus) / mean;
    upstream.placeFreed();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (!this.#isOpen) controller.abort(new Error('the call is over'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (!this.#isOpen || status < 200) return;
    this.hasAnswered = true;
    this.#listener.answered(status, headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Buffer): void {
    if (!this.#isOpen) return;
    this.target.upstream.waiting.remove(this);
    this.#listener.arrived(piece);
  }

  onResponseEnd(): void {
    if (!this.#isOpen) return;
    this.end();
    this.#listener.finished();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#isOpen) this.#listener.failed(this, error);
  }
}
