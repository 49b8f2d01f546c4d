/**
 * Who brings an answer to a relay: the attempts at GPU servers, one upstream call that several callers share, or an
 * answer that was stored. The relay maps what comes for its caller and is the same for all of them.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Refusal } from '../core/errors.ts';
import type { Cause } from './failure.ts';
import type { FailureKind } from './health/server-health.ts';
import type { LastMember } from './json-answer.ts';
import type { StreamShape } from './sse.ts';
import type { Watch } from './watchdog.ts';

/** How the answer is looked at: OpenAI's shapes, or bytes that are none of our business. */
export type AnswerShape =
  | ({
      readonly kind: 'openai';
      readonly upstreamModel: string;
      /** Of an answer in JSON. */
      readonly lastMember?: LastMember | undefined;
      /** A text that comes behind each choice of the answer. */
      readonly suffix?: string | undefined;
    } & StreamShape)
  | { readonly kind: 'plain' };

/** Whose answer it is. */
export interface Answering {
  readonly upstream: { readonly name: string };
  readonly shape: AnswerShape;
}

/** Hears of the answer that counts, and of no other; `answered` again where another server's takes its place. */
export interface AnswerReceiver {
  answered(target: Answering, status: number, headers: IncomingHttpHeaders): void;
  arrived(piece: Buffer): void;
  finished(): void;
  failed(target: Answering, cause: Cause, detail: string): void;
  /** Ends the call before its time, with this error. */
  breakOff(refused: Refusal): void;
}

export interface AnswerSource {
  /** The one that answers, or would. */
  readonly target: Answering;
  /** Over the time limits of the relay. */
  readonly watch: Watch;
  /** Silence is no fault of the server's, or somebody else keeps an eye on it. */
  readonly mayBeSilent: boolean;
  start(receiver: AnswerReceiver): void;
  pause(): void;
  resume(): void;
  /** What has come is no fault of the server's. */
  succeeded(): void;
  /** The server is at fault, in its answer or by its silence. */
  blame(kind: FailureKind): void;
  /** True: another server is being asked, and what the last one has said does not count. */
  moveOn(reason: string): boolean;
  /** Nobody waits for it any more. */
  stop(reason: string): void;
}

/** A whole answer as the GPU server gave it, before anything was mapped for a caller. */
export interface StoredAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  /** The server's name, for the log. */
  readonly upstream: string;
  /** What that server calls the model; taken out of error messages. */
  readonly upstreamModel: string;
}

/** How an upstream call that may be shared or kept has ended. */
export type SharedEnd =
  /** A success that is complete: JSON to its end, a stream with its ending. */
  | { readonly kind: 'whole'; readonly answer: StoredAnswer }
  /** The server's refusal of the request (4xx). */
  | { readonly kind: 'refused'; readonly answer: StoredAnswer }
  /** One of these two, but over `bytesMax`. */
  | { readonly kind: 'too_long' }
  /** Failed, broken off, or ended because nobody listened any more. */
  | { readonly kind: 'failed' };
