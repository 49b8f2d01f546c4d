/**
 * What one call does in a trace. Its ids are decided at its beginning, so that they can go out to the GPU server and
 * to a worker; the spans are made from it when the call has ended, and only if it is sampled (telemetry/call-spans.ts).
 *
 * Where tracing is off, a call whose caller is in a trace has one nevertheless: then it only passes on what he said.
 */
import type { AttemptFailure } from './attempt-failure.ts';
import { formatTraceParent, parseTraceParent, type TraceParent } from './trace.ts';

/** Decides on the traces of calls. */
export interface Tracer {
  /** @param parent undefined: the trace begins here */
  begin(parent: TraceParent | undefined): CallTrace;
}

/** Where a request goes. */
export interface Destined {
  readonly upstream: string;
  /** Of its address: protocol, host and port. */
  readonly origin: string;
  readonly method: string;
  /** What that server calls the model; undefined: it is a plain server. */
  readonly model: string | undefined;
}

/** One request to a GPU server. Times are those of `Call`. */
export interface AttemptTrace extends Destined {
  readonly spanId: string;
  readonly beganAtMs: number;
  endedAtMs: number;
  /** 0: none came. */
  status: number;
  failure: AttemptFailure | undefined;
}

/** A pool may have more servers than anybody will look at. */
const ATTEMPTS_MAX = 32;

export class CallTrace {
  readonly traceId: string;
  /** Of the span of the call; where tracing is off, the caller's own. */
  readonly spanId: string;
  /** Of the caller; undefined: the trace begins here. */
  readonly parentSpanId: string | undefined;
  /** Those behind us are told so. */
  readonly isSampled: boolean;
  readonly state: string | undefined;
  readonly attempts: AttemptTrace[] = [];
  /** 0: admission was not asked. */
  admissionBeganAtMs = 0;
  admissionEndedAtMs = 0;
  readonly #newSpanId: (() => string) | undefined;

  /** @param newSpanId undefined: no spans are made of it */
  constructor(ids: TraceParent & { readonly parentSpanId: string | undefined }, newSpanId?: () => string) {
    this.traceId = ids.traceId;
    this.spanId = ids.spanId;
    this.parentSpanId = ids.parentSpanId;
    this.isSampled = ids.isSampled;
    this.state = ids.state;
    this.#newSpanId = newSpanId;
  }

  /** Whether spans are made of it. */
  get isRecorded(): boolean {
    return this.#newSpanId !== undefined;
  }

  get traceparent(): string {
    return formatTraceParent(this);
  }

  /** For a part of it that nobody outside hears of. Only of one that is recorded. */
  newSpanId(): string {
    return this.#newSpanId?.() ?? this.spanId;
  }

  /** Undefined: no span is made of it. */
  beginAttempt(at: Destined, nowMs: number): AttemptTrace | undefined {
    if (!this.#newSpanId || this.attempts.length >= ATTEMPTS_MAX) return undefined;
    const attempt = {
      ...at,
      ...{ spanId: this.#newSpanId(), beganAtMs: nowMs, endedAtMs: 0, status: 0, failure: undefined },
    };
    this.attempts.push(attempt);
    return attempt;
  }

  /** Of several reasons the first counts. */
  attemptFailed(what: AttemptFailure): void {
    const attempt = this.attempts.at(-1);
    if (attempt) attempt.failure ??= what;
  }

  /** Names and values in turn, for whoever comes next: the server of that attempt. */
  headers(attempt: AttemptTrace | undefined): string[] {
    const { traceId, isSampled, state } = this;
    const spanId = attempt?.spanId ?? this.spanId;
    const headers = ['traceparent', formatTraceParent({ traceId, spanId, isSampled })];
    if (state !== undefined) headers.push('tracestate', state);
    return headers;
  }
}

/**
 * @param traceparent and `tracestate`, as somebody else wrote them
 * @returns undefined where neither this process nor the caller traces
 */
export function traceOf(
  tracer: Tracer | undefined,
  traceparent: unknown,
  tracestate: unknown,
): CallTrace | undefined {
  const parent = parseTraceParent(traceparent, tracestate);
  if (tracer) return tracer.begin(parent);
  return parent && new CallTrace({ ...parent, parentSpanId: undefined });
}
