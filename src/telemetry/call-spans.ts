/**
 * The spans of a call that has ended, after OpenTelemetry's conventions for HTTP and generative AI. Ids, counts and
 * names from the configuration or the code: no prompt, no answer, no key, no header of the caller.
 */
import { type Attributes, SpanKind } from '@opentelemetry/api';
import type { Call } from '../core/call.ts';
import type { AttemptTrace, CallTrace } from '../core/call-trace.ts';
import type { EndedCall } from './metrics.ts';

/** Times are those of `Call`. */
export interface SpanFacts {
  readonly name: string;
  readonly kind: SpanKind;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  readonly hasFailed: boolean;
  /** Those that are undefined are left out. */
  readonly attributes: Attributes;
}

/** A run of a job that has called a GPU server. */
export interface EndedJobRun {
  readonly call: Call;
  readonly jobId: string;
  readonly attempt: number;
  /** Both from closed sets; an empty reason is none. */
  readonly outcome: string;
  readonly reason: string;
  readonly endedAtMs: number;
}

/** Of the routes that lead to a model, by OpenTelemetry's names where it has one. */
const operations: Readonly<Record<string, string>> = {
  '/v1/chat/completions': 'chat',
  '/v1/completions': 'text_completion',
  '/v1/responses': 'chat',
  '/v1/embeddings': 'embeddings',
  '/v1/rerank': 'rerank',
  '/v1/score': 'score',
};

/** OpenTelemetry's word for OpenAI's API, whoever runs the model; which engine a server has, nobody says. */
const PROVIDER = 'openai';

/** The span of the call, one for its admission, and one for each request to a GPU server. */
export function spansOfCall({ call, outcome, endedAtMs }: EndedCall, trace: CallTrace): SpanFacts[] {
  const { startedAtMs, refusal, status } = call;
  const operation = operations[call.route];
  const errorType = refusal?.name ?? (outcome === 'client_gone' ? outcome : undefined);
  const whole: SpanFacts = {
    name: operation ? named(operation, call.model) : `${call.method} ${call.route}`,
    kind: SpanKind.SERVER,
    spanId: trace.spanId,
    parentSpanId: trace.parentSpanId,
    beganAtMs: startedAtMs,
    endedAtMs,
    hasFailed: outcome === 'broken' || status >= 500,
    attributes: {
      'http.request.method': call.method,
      'http.route': call.route,
      'http.response.status_code': status || undefined,
      'error.type': errorType ?? (status >= 500 ? String(status) : undefined),
      ...attributesOf(call, trace),
      'sluice.outcome': outcome,
      'sluice.answered_from': call.answeredFrom,
      'sluice.job.id': call.job,
    },
  };
  return [whole, ...admission(call, trace), ...attempts(call, trace, endedAtMs)];
}

/** The span of the run, and one for each request to a GPU server. */
export function spansOfRun(ended: EndedJobRun, trace: CallTrace): SpanFacts[] {
  const { call, outcome, reason, endedAtMs } = ended;
  const whole: SpanFacts = {
    name: named('run', call.model),
    kind: SpanKind.CONSUMER,
    spanId: trace.spanId,
    parentSpanId: trace.parentSpanId,
    beganAtMs: call.startedAtMs,
    endedAtMs,
    hasFailed: outcome === 'failed' || outcome === 'tried_again',
    attributes: {
      'error.type': reason || undefined,
      ...attributesOf(call, trace),
      'sluice.outcome': outcome,
      'sluice.job.id': ended.jobId,
      'sluice.job.attempt': ended.attempt,
    },
  };
  return [whole, ...attempts(call, trace, endedAtMs)];
}

function attributesOf(call: Call, { attempts: asked }: CallTrace): Attributes {
  const { route, model, principal, usage, firstByteAtMs } = call;
  const answering = asked.at(-1);
  return {
    'gen_ai.operation.name': operations[route],
    ...(operations[route] && {
      'gen_ai.provider.name': PROVIDER,
      'gen_ai.request.model': model,
      'gen_ai.response.model': answering && hasAnswered(answering) ? answering.model : undefined,
      'gen_ai.request.stream': call.streamed || undefined,
    }),
    'gen_ai.response.time_to_first_chunk':
      call.streamed && firstByteAtMs > 0 ? (firstByteAtMs - call.startedAtMs) / 1_000 : undefined,
    'gen_ai.usage.input_tokens': usage?.inputTokens,
    'gen_ai.usage.output_tokens': usage?.outputTokens,
    'gen_ai.usage.cache_read.input_tokens': usage?.cachedTokens || undefined,
    'sluice.request_id': call.requestId,
    'sluice.tenant': principal?.tenant,
    'sluice.key_id': principal?.keyId,
    'sluice.model_version': call.version,
    'sluice.upstream': call.upstream,
  };
}

function admission(call: Call, trace: CallTrace): SpanFacts[] {
  const { admissionBeganAtMs: beganAtMs, admissionEndedAtMs: endedAtMs } = trace;
  if (beganAtMs === 0) return [];
  const attributes = { 'sluice.admission.local': call.isAdmittedLocally };
  const of = { spanId: trace.newSpanId(), parentSpanId: trace.spanId };
  return [
    { name: 'admission', kind: SpanKind.INTERNAL, ...of, beganAtMs, endedAtMs, hasFailed: false, attributes },
  ];
}

function attempts(call: Call, trace: CallTrace, endedAtMs: number): SpanFacts[] {
  const operation = operations[call.route];
  return trace.attempts.map((attempt, index) => {
    const { hostname, port, protocol } = new URL(attempt.origin);
    const failure = failureOf(attempt);
    return {
      name: operation ? named(operation, call.model) : attempt.method,
      kind: SpanKind.CLIENT,
      spanId: attempt.spanId,
      parentSpanId: trace.spanId,
      beganAtMs: attempt.beganAtMs,
      // One that is shared with others may outlast this call.
      endedAtMs: attempt.endedAtMs || endedAtMs,
      hasFailed: failure !== undefined && failure !== 'given_up',
      attributes: {
        'gen_ai.operation.name': operation,
        'gen_ai.provider.name': operation && PROVIDER,
        'gen_ai.request.model': attempt.model,
        'gen_ai.response.model': hasAnswered(attempt) ? attempt.model : undefined,
        'http.request.method': attempt.method,
        'http.request.resend_count': index || undefined,
        'http.response.status_code': attempt.status || undefined,
        'server.address': hostname,
        'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
        'sluice.upstream': attempt.upstream,
        'error.type': failure,
      },
    };
  });
}

/** `given_up`: nobody waited for the end any more. */
function failureOf({ failure, status }: AttemptTrace): string | undefined {
  if (failure !== undefined) return String(failure);
  if (status === 0) return 'given_up';
  return status >= 400 ? String(status) : undefined;
}

function hasAnswered({ status, failure }: AttemptTrace): boolean {
  return status >= 200 && status < 300 && failure === undefined;
}

/** The model is one of the configuration. */
function named(operation: string, model: string | undefined): string {
  return model === undefined ? operation : `${operation} ${model}`;
}
