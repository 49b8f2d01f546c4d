import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Call, CallEnd } from '../core/call.ts';
import { errorBody, errorTable, type Refusal } from '../core/errors.ts';
import type { Answering, AnswerReceiver, AnswerSource } from './answer-source.ts';
import { largeAnswerRead } from './dead-buffers.ts';
import { type Cause, refusalOfAnswer, refusalOfCause, statusOfEvent } from './failure.ts';
import type { JsonAnswer } from './json-answer.ts';
import { type AnswerOutlet, Outlet, SilentOutlet } from './outlet.ts';
import type { SseAnswer } from './sse.ts';
import { jsonFor, type SuffixedStream, streamFor } from './suffix.ts';
import type { SuffixedJson } from './suffix-json.ts';
import { type Expired, type Limits, Watchdog } from './watchdog.ts';

/** The side that faces the caller: it knows our headers and error format. */
export interface Caller {
  /** Undefined: nobody is connected. */
  readonly response: ServerResponse | undefined;
  /** Where the answer goes without a response; undefined: it is only looked at. */
  readonly outlet?: AnswerOutlet;
  head(status: number, contentType: string, contentLength: number | undefined): void;
  /** Nothing has been sent yet: the whole answer is this error. */
  refuse(refused: Refusal): void;
  /** The GPU server has no more to do with the call, although bytes may still be on their way to the caller. */
  ended(how: CallEnd): void;
}

export interface Forwarding {
  readonly call: Call;
  readonly caller: Caller;
  readonly source: AnswerSource;
  readonly limits: Limits;
}

/** Nothing of the server's for so long: a comment tells balancers and clients that the stream lives. */
const COMMENT_EVERY_MS = 15_000;
const COMMENT = ': keep-alive\n\n';
/**
 * After so many bytes of one answer the others get their turn. The system's loop reads up to 2 MB from one
 * connection before it looks at the next; a hundred large answers at once would stop everything for seconds.
 */
const TURN_BYTES = 262_144;
const ERROR_BODY_BYTES_MAX = 65_536;
const JSON_TYPE = /^application\/([\w.+-]+\+)?json\b/i;
const STREAM_TYPE = /^text\/event-stream\b/i;

/**
 * Carries one answer from the GPU server to the caller, from the HTTP client's dispatch handler straight to the
 * raw response, with backpressure. (Piping a stream through `reply.send` let the time to the first token rise to
 * seconds at 1,000 streams.)
 *
 * Whoever calls `start` gives the response away: this object ends it, whatever happens, exactly once.
 */
export class Relay implements AnswerReceiver {
  readonly #forwarding: Forwarding;
  readonly #call: Call;
  readonly #source: AnswerSource;
  readonly #outlet: AnswerOutlet;
  readonly #watchdog: Watchdog;
  #state: 'waiting' | 'relaying' | 'collecting_error' | 'over' = 'waiting';
  #turnBytes = 0;

  #status = 0;
  #contentType = '';
  #contentLength: number | undefined;
  #sse: SseAnswer | SuffixedStream | undefined;
  #json: JsonAnswer | SuffixedJson | undefined;
  /** The newest piece of a JSON answer: if it is also the first and the last, its length is known. */
  #lastPiece: Buffer | undefined;
  #errorBody: Buffer[] = [];
  #errorBytes = 0;

  constructor(forwarding: Forwarding) {
    this.#forwarding = forwarding;
    this.#call = forwarding.call;
    this.#source = forwarding.source;
    const { caller, limits, source } = forwarding;
    this.#outlet = caller.response
      ? new Outlet({
          response: caller.response,
          lastBytesMs: limits.idle_ms,
          drained: () => this.readOn(),
        })
      : (caller.outlet ?? new SilentOutlet());
    const nowMs = performance.now();
    this.#call.forwardedAtMs = nowMs;
    this.#watchdog = new Watchdog(source.watch, limits, nowMs, (what) => this.#onExpired(what));
  }

  start(): void {
    const { response } = this.#forwarding.caller;
    if (response?.destroyed) return this.leave();
    // Before all others: who settles and observes the call reads here how it ended.
    response?.prependListener('close', () => this.leave());
    this.#source.start(this);
  }

  /** Ends the call before its time, with the error as the answer or, behind what has gone out, as an SSE event. */
  breakOff(refused: Refusal): void {
    if (this.#state !== 'over') this.#fail(refused);
  }

  // --- the server's side ---

  answered(target: Answering, status: number, headers: IncomingHttpHeaders): void {
    if (this.#state === 'over') return;
    this.#status = status;
    this.#contentType = oneHeader(headers['content-type']);
    const length = Number(headers['content-length']);
    this.#contentLength =
      headers['content-length'] !== undefined && Number.isSafeInteger(length) ? length : undefined;
    const { shape } = target;
    const relayed = shape.kind === 'plain' ? status < 500 : status < 300;
    this.#state = relayed ? 'relaying' : 'collecting_error';
    this.#errorBody = [];
    this.#errorBytes = 0;
    this.#sse = undefined;
    this.#json = undefined;
    this.#lastPiece = undefined;
    if (!relayed) return;
    if (STREAM_TYPE.test(this.#contentType)) {
      this.#call.streamed = true;
      this.#sse = streamFor(shape);
      if (this.#forwarding.caller.response) this.#watchdog.whenQuiet(COMMENT_EVERY_MS, () => this.#comment());
    } else if (shape.kind === 'openai' && JSON_TYPE.test(this.#contentType)) {
      this.#json = jsonFor(shape);
    }
  }

  arrived(piece: Buffer): void {
    if (this.#state === 'over') return;
    const nowMs = performance.now();
    if (this.#call.firstByteAtMs === 0 && this.#state === 'relaying') {
      this.#call.firstByteAtMs = nowMs;
      this.#source.succeeded();
    }
    this.#watchdog.progress(nowMs);
    if (this.#state === 'collecting_error') this.#collectError(piece);
    else if (this.#sse) this.#relayEvents(this.#sse, piece);
    else if (this.#json) this.#relayJson(this.#json, piece);
    else this.#write(piece, this.#contentLength);
    this.#turnBytes += piece.length;
    if (this.#turnBytes > TURN_BYTES) this.#giveWay();
  }

  finished(): void {
    if (this.#state === 'over') return;
    if (this.#state === 'collecting_error') return this.#refuseAnswer();
    this.#source.succeeded();
    if (this.#sse) return this.#endStream(this.#sse);
    if (this.#json) return this.#endJson(this.#json);
    this.#begin(this.#contentLength ?? 0);
    return this.#end(undefined);
  }

  failed(_target: Answering, cause: Cause, detail: string): void {
    if (this.#state === 'over') return;
    if (this.#state === 'collecting_error') return this.#refuseAnswer();
    this.#failFor(cause, detail);
  }

  // --- relaying ---

  #relayEvents(sse: SseAnswer | SuffixedStream, piece: Buffer): void {
    const events = sse.push(piece);
    if (sse.overflow) return this.#failFor('too_long');
    if (events) this.#write(events, undefined);
    if (sse.failure) this.#failAsServerSays(sse.failure);
  }

  #endStream(sse: SseAnswer | SuffixedStream): void {
    const rest = sse.end();
    if (sse.failure) return this.#failAsServerSays(sse.failure);
    const isOpenAi = this.#source.target.shape.kind === 'openai';
    if (isOpenAi && !sse.complete) return this.#failFor('ended_early');
    this.#begin(undefined);
    this.#end(rest);
  }

  #relayJson(json: JsonAnswer | SuffixedJson, piece: Buffer): void {
    const earlier = this.#lastPiece;
    const isWhole = !earlier && piece.length === this.#contentLength;
    const bytes = isWhole ? json.whole(piece) : json.push(piece);
    this.#lastPiece = bytes;
    if (json.overflow) return this.#failFor('too_long');
    // Only an untouched answer is known to have the length that the server announced.
    if (earlier?.length) this.#write(earlier, json.edited ? undefined : this.#contentLength);
  }

  #endJson(json: JsonAnswer | SuffixedJson): void {
    const rest = json.end();
    const last = concat(this.#lastPiece, rest);
    if (!json.complete) return this.#failFor('ended_early');
    this.#begin(last?.length ?? 0);
    this.#end(last);
  }

  #collectError(piece: Buffer): void {
    this.#errorBytes += piece.length;
    if (this.#errorBytes <= ERROR_BODY_BYTES_MAX) this.#errorBody.push(piece);
    else this.#refuseAnswer();
  }

  #refuseAnswer(): void {
    const { shape, upstream } = this.#source.target;
    const refused = refusalOfAnswer(this.#status, Buffer.concat(this.#errorBody), upstream.name);
    if (errorTable[refused.name].blame === 'upstream') {
      this.#source.blame('status');
      this.#call.attemptFailed(this.#status);
      if (!this.#outlet.begun && this.#source.moveOn(refused.message)) {
        this.#state = 'waiting';
        return;
      }
    } else {
      this.#source.succeeded();
    }
    this.#fail(shape.kind === 'openai' ? withoutUpstreamModel(refused, shape) : refused);
  }

  /** An error in the middle of a stream is looked at like one that comes as a status. */
  #failAsServerSays(failure: Buffer): void {
    this.#errorBody = [failure];
    this.#status = statusOfEvent(failure);
    this.#refuseAnswer();
  }

  #comment(): void {
    const mayComment = this.#state === 'relaying' && !this.#outlet.blocked && this.#sse?.betweenEvents;
    if (!mayComment) return;
    this.#begin(undefined);
    this.#outlet.write(COMMENT);
  }

  #begin(contentLength: number | undefined): void {
    this.#outlet.begin(() => this.#forwarding.caller.head(this.#status, this.#contentType, contentLength));
  }

  #write(bytes: Buffer, contentLength: number | undefined): void {
    this.#begin(contentLength);
    this.#outlet.write(bytes);
    if (this.#outlet.blocked) this.#source.pause();
  }

  /** The answer is taken again, after it was not; until now the server was not at fault. */
  readOn(): void {
    this.#watchdog.progress(performance.now());
    this.#source.resume();
  }

  #giveWay(): void {
    largeAnswerRead(this.#turnBytes);
    this.#turnBytes = 0;
    this.#source.pause();
    setImmediate(() => {
      if (!this.#outlet.blocked) this.#source.resume();
    });
  }

  // --- the ends ---

  #end(bytes: Buffer | undefined): void {
    this.#over();
    this.#outlet.end(bytes);
    this.#call.bytesOut = this.#outlet.bytes;
    this.#forwarding.caller.ended('finished');
  }

  #onExpired(what: Expired): void {
    if (this.#state === 'over') return;
    // A caller who does not read is not the server's fault, and there is no way to tell him.
    if (what === 'idle' && this.#outlet.blocked) this.#outlet.cut();
    else if (what !== 'total' && this.#source.mayBeSilent) this.#watchdog.restart(performance.now());
    else this.#failFor(what);
  }

  /** The caller has left. */
  leave(): void {
    if (this.#state === 'over') return;
    this.#over();
    this.#source.stop('the caller has left');
    this.#forwarding.caller.ended('client_gone');
  }

  #failFor(cause: Cause, detail?: string): void {
    this.#call.attemptFailed(cause);
    if (timeouts.has(cause)) this.#source.blame('timeout');
    else if (cause === 'ended_early') this.#source.blame('reset');
    this.#fail(refusalOfCause(cause, this.#source.target.upstream.name, detail));
  }

  #fail(refused: Refusal): void {
    const { caller } = this.#forwarding;
    this.#over();
    this.#source.stop(refused.message);
    if (this.#outlet.begun) this.#breakOff(refused);
    else caller.refuse(refused);
    caller.ended('failed');
  }

  #breakOff(refused: Refusal): void {
    this.#call.refusal = refused;
    this.#call.broken = true;
    // Without `[DONE]`. A JSON answer can only be cut, so that its length tells that it is not whole.
    if (this.#sse) this.#outlet.end(`data: ${errorBody(refused)}\n\n`);
    else this.#outlet.cut();
    this.#call.bytesOut = this.#outlet.bytes;
  }

  /** From here on nothing that the server says counts. */
  #over(): void {
    this.#state = 'over';
    this.#watchdog.stop();
    const answer = this.#sse ?? this.#json;
    this.#call.usage = answer?.usage;
    this.#call.addedBytes = answer?.addedBytes ?? 0;
    this.#call.bytesOut = this.#outlet.bytes;
  }
}

/** The whole call's limit is not among them: a long answer may take that long. */
const timeouts: ReadonlySet<Cause> = new Set(['first_byte', 'idle']);

/** Servers name the model in their complaints, by a path that is not to be seen. */
function withoutUpstreamModel(
  refused: Refusal,
  { model, upstreamModel }: { model: string | undefined; upstreamModel: string },
): Refusal {
  const isTheirs = refused.name === 'upstream_rejected' || refused.name === 'context_length_exceeded';
  if (!isTheirs || model === undefined) return refused;
  return { ...refused, message: refused.message.replaceAll(upstreamModel, () => model) };
}

function oneHeader(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

function concat(one: Buffer | undefined, other: Buffer | undefined): Buffer | undefined {
  return one && other ? Buffer.concat([one, other]) : (one ?? other);
}
