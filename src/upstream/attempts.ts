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
import type { AttemptFailure } from '../core/attempt-failure.ts';
import type { Call } from '../core/call.ts';
import type { AttemptTrace, CallTrace } from '../core/call-trace.ts';
import type { Answering, AnswerReceiver, AnswerSource } from './answer-source.ts';
import type { Demand } from './demand.ts';
import { causeOfError } from './failure.ts';
import type { FailureKind } from './health/server-health.ts';
import type { Upstream } from './upstream.ts';
import type { Watch } from './watchdog.ts';

/** The request as one server shall get it, and how its answer is looked at. */
export interface Target extends Answering {
  readonly upstream: Upstream;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: Buffer | null;
}

/** Where a call may go. */
export interface Route {
  readonly first: Target;
  /** Counts the call among those of its model; undefined: it belongs to none. */
  readonly demand?: Demand;
  /** Another server than those before, if there is one and the budget allows it. */
  another(): Target | undefined;
}

interface AttemptsParts {
  readonly call: Call;
  readonly route: Route;
  readonly connectTimeoutMs: number;
  /** May the same bytes be sent again? */
  readonly replayable: boolean;
  /** Who carries the bytes; default: the server's own connections. */
  readonly wire?: Wire | undefined;
}

/** @param isFresh on a connection of its own */
export type Wire = (
  upstream: Upstream,
  isFresh: boolean,
  connectTimeoutMs: number,
) => Pick<Dispatcher, 'dispatch'>;

const ownConnections: Wire = (upstream, isFresh, connectTimeoutMs) =>
  isFresh ? upstream.freshConnections(connectTimeoutMs) : upstream.connections(connectTimeoutMs);

export class Attempts implements AnswerSource {
  readonly #parts: AttemptsParts;
  #receiver: AnswerReceiver | undefined;
  #current: Attempt | undefined;
  #over = false;

  constructor(parts: AttemptsParts) {
    this.#parts = parts;
  }

  /** The one that is, or was last, asked. */
  get target(): Target {
    return this.#current?.target ?? this.#parts.route.first;
  }

  get watch(): Watch {
    return this.#parts.route.first.upstream.watch;
  }

  get mayBeSilent(): boolean {
    return false;
  }

  start(receiver: AnswerReceiver): void {
    this.#receiver = receiver;
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

  /**
   * True: another server is being asked, and what the last one has said does not count.
   * @param what where nobody has said yet what became of the last one
   */
  moveOn(reason: string, what?: AttemptFailure): boolean {
    const { call, replayable, route } = this.#parts;
    if (this.#over || !replayable) return false;
    const target = route.another();
    if (!target) return false;
    if (what) call.attemptFailed(what);
    this.#current?.abort(reason);
    this.#begin(target, false);
    return true;
  }

  /** Nobody waits for it any more. */
  stop(reason: string): void {
    this.#over = true;
    this.#current?.abort(reason);
  }

  #begin(target: Target, fresh: boolean): void {
    const { call, connectTimeoutMs, wire = ownConnections } = this.#parts;
    const receiver = this.#receiver as AnswerReceiver;
    call.attempts += 1;
    call.upstream = target.upstream.name;
    this.#current = new Attempt(target, call, fresh, this.#parts.route.demand, {
      answered: (status, headers) => receiver.answered(target, status, headers),
      arrived: (piece) => receiver.arrived(piece),
      finished: () => receiver.finished(),
      failed: (attempt, error) => this.#onFailed(attempt, error),
      moveAway: () => this.moveOn('the server is frozen', 'frozen'),
    });
    this.#current.dispatch(wire(target.upstream, fresh, connectTimeoutMs));
  }

  #onFailed(attempt: Attempt, error: Error): void {
    const cause = causeOfError(error);
    const { call, replayable } = this.#parts;
    const mayBeStale = cause === 'reset' && !attempt.hasAnswered && !attempt.isFresh && call.attempts === 1;
    attempt.end();
    call.attemptFailed(cause);
    if (mayBeStale && replayable && attempt.target.upstream.takesNewConnections(performance.now())) {
      return this.#begin(attempt.target, true);
    }
    if (attempt.isFresh) attempt.target.upstream.newConnectionFailed(performance.now());
    attempt.report(cause === 'connect' ? 'connect' : 'reset');
    if (attempt.hasAnswered || !this.moveOn(error.message)) {
      this.#receiver?.failed(attempt.target, cause, error.message);
    }
  }
}

interface AttemptListener {
  answered(status: number, headers: IncomingHttpHeaders): void;
  arrived(piece: Buffer): void;
  finished(): void;
  failed(attempt: Attempt, error: Error): void;
  moveAway(): void;
}

/** One request on its way to one server. What comes after it has been given up is not heard. */
class Attempt implements Dispatcher.DispatchHandler {
  readonly target: Target;
  /** Sent on a connection of its own. */
  readonly isFresh: boolean;
  controller: Dispatcher.DispatchController | undefined;
  hasAnswered = false;
  /** Where it stands among those that wait for the first byte of this server. */
  place = -1;
  readonly #call: Call;
  readonly #demand: Demand | undefined;
  readonly #listener: AttemptListener;
  readonly #beganAtMs: number;
  /** Undefined: no span is made of it. */
  #trace: AttemptTrace | undefined;
  #loadArea = 0;
  #epoch = 0;
  #isOpen = true;
  #isReported = false;

  constructor(
    target: Target,
    call: Call,
    isFresh: boolean,
    demand: Demand | undefined,
    listener: AttemptListener,
  ) {
    this.target = target;
    this.isFresh = isFresh;
    this.#call = call;
    this.#demand = demand;
    this.#listener = listener;
    this.#beganAtMs = performance.now();
  }

  dispatch(connections: Pick<Dispatcher, 'dispatch'>): void {
    const { upstream, method, path, headers, body } = this.target;
    this.#loadArea = upstream.load.begin(this.#beganAtMs);
    if (this.#demand) this.#demand.inFlight += 1;
    this.#epoch = upstream.serverHealth.began(this.#beganAtMs);
    upstream.waiting.add(this);
    connections.dispatch(
      {
        method: method as Dispatcher.HttpMethod,
        path: upstream.basePath + path,
        headers: this.#call.trace === undefined ? (headers as string[]) : this.#traced(this.#call.trace),
        body,
      },
      this,
    );
  }

  /** The server learns where its work belongs. */
  #traced(trace: CallTrace): string[] {
    const { upstream, method, headers, shape } = this.target;
    this.#trace = trace.beginAttempt(
      {
        upstream: upstream.name,
        origin: upstream.origin,
        method,
        model: shape.kind === 'openai' ? shape.upstreamModel : undefined,
      },
      this.#beganAtMs,
    );
    return [...headers, ...trace.headers(this.#trace)];
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
    if (this.#demand) this.#demand.inFlight -= 1;
    const mean = upstream.load.end(this.#loadArea, this.#beganAtMs, nowMs);
    this.#call.upstreamEndedAtMs = nowMs;
    if (this.#trace !== undefined) this.#trace.endedAtMs = nowMs;
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
    if (this.#trace !== undefined) this.#trace.status = status;
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
