import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LiveConfig } from '../config/live.ts';
import type { Config } from '../config/schema.ts';
import type { Call } from '../core/call.ts';
import { refusal } from '../core/errors.ts';
import type { Principal } from '../core/principal.ts';
import type { AnswerShape, StoredAnswer } from '../upstream/answer-source.ts';
import { findRemoteMedia, inlineRemoteMedia } from '../upstream/media.ts';
import type { Model, Models } from '../upstream/models.ts';
import { upstreamHeaders, withMembers } from '../upstream/outgoing.ts';
import { answerMetadata } from './answer-metadata.ts';
import type { JsonBody } from './body.ts';
import { dispatch } from './dispatch.ts';
import { checkBody, type Endpoint } from './endpoints.ts';
import { answerEqual, type EqualParts, isEqualRequest, type Passage } from './equal-requests.ts';
import type { Inference, Step } from './exchange.ts';
import { findModel, prepare } from './prepare.ts';
import { playStored } from './share.ts';

export interface InferenceParts extends EqualParts {
  readonly config: Pick<Config, 'listen' | 'idempotency'>;
  /** Read once for each request, which then keeps it. */
  readonly live: () => LiveConfig;
  readonly version: string;
  readonly models: Models;
}

/** 400, 503: shape, types, bounds, and the caller's policies. */
export function validate(endpoint: Endpoint, parts: InferenceParts): Step {
  const { live, responder } = parts;
  return (request, reply, next) => {
    const body = request.body as JsonBody | undefined;
    const refused = body
      ? (checkBody(endpoint, body.value, live().caps) ??
        prepare(endpoint, parts, request, request.call.principal as Principal))
      : refusal('invalid_json', 'The request has no body.');
    if (refused) responder.refuse(request, reply, refused);
    else next();
  };
}

/** 403, 404, 503: which model is meant, and may this key use it? */
export function route(parts: InferenceParts): Step {
  return (request, reply, next) => {
    const refused = findModel(parts, request, request.call.principal as Principal);
    if (refused) parts.responder.refuse(request, reply, refused);
    else next();
  };
}

/** 502–504, or the answer. */
export function answer(parts: InferenceParts) {
  return (request: FastifyRequest, reply: FastifyReply): void | Promise<void> => {
    const inference = request.inference as Inference;
    const media = findRemoteMedia(inference.body.value);
    if (media.length === 0) return send(parts, request, reply, inference, false);
    return fetchMedia(inference, reply, media).then((refused) => {
      if (refused) parts.responder.refuse(request, reply, refused);
      else send(parts, request, reply, inference, true);
    });
  };
}

function fetchMedia(
  { media: allowed }: Inference,
  reply: FastifyReply,
  media: ReturnType<typeof findRemoteMedia>,
) {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return inlineRemoteMedia(media, allowed, gone.signal);
}

function send(
  parts: InferenceParts,
  request: FastifyRequest,
  reply: FastifyReply,
  inference: Inference,
  rewritten: boolean,
): void {
  const asksForUsage = wantsUsageChunk(inference);
  const shapeOf: Passage['shapeOf'] = (model, upstreamModel) =>
    answerShape(request.call, inference, { model, upstreamModel }, asksForUsage, parts.version);
  const targetOf: Passage['targetOf'] = (model, { upstream, upstreamModel }) => ({
    upstream,
    method: 'POST',
    path: inference.endpoint.path,
    headers: upstreamHeaders(upstream.authorization, request.call.requestId),
    body: outgoingBody(inference, upstreamModel, asksForUsage, rewritten),
    shape: shapeOf(model, upstreamModel),
  });
  if (isEqualRequest(request)) answerEqual(parts, request, reply, { targetOf, shapeOf, rewritten });
  else dispatch(parts, request, reply, targetOf);
}

/** Answers with what a server has said to the same request before, mapped for this caller. */
export function replay(parts: InferenceParts) {
  return (request: FastifyRequest, reply: FastifyReply, answer: StoredAnswer): void => {
    const inference = request.inference as Inference & { readonly model: Model };
    const { model } = inference;
    const { upstreamModel } = answer;
    const asksForUsage = wantsUsageChunk(inference);
    const shape = answerShape(request.call, inference, { model, upstreamModel }, asksForUsage, parts.version);
    playStored(parts, request, reply, answer, { shape, limits: model.timeouts });
  };
}

/** Streams of chat and completions count their tokens only when asked to. */
export function wantsUsageChunk({ endpoint, body, streamed }: Inference): boolean {
  if (!streamed || endpoint.streams !== 'with_stream_options') return false;
  const options = body.value.stream_options as { include_usage?: unknown } | null | undefined;
  return options?.include_usage !== true;
}

export function answerShape(
  call: Call,
  inference: Inference,
  { model, upstreamModel }: { readonly model: Model; readonly upstreamModel: string },
  dropUsageChunk: boolean,
  version: string,
): AnswerShape {
  return {
    kind: 'openai',
    model: inference.requestedModel ?? model.name,
    upstreamModel,
    lastMember: answerMetadata(call, inference, version),
    suffix: inference.suffix,
    dropUsageChunk,
    ending: inference.endpoint.streams === 'with_usage' ? 'terminal_event' : 'done',
  };
}

/** The client's own bytes, with what has to change spliced in. */
function outgoingBody(
  inference: Inference,
  upstreamModel: string,
  asksForUsage: boolean,
  rewritten: boolean,
): Buffer {
  const { body, requestedModel } = inference;
  const changes: [name: string, value: unknown][] = [];
  if (requestedModel !== upstreamModel) changes.push(['model', upstreamModel]);
  if (asksForUsage) {
    const options = body.value.stream_options as Record<string, unknown> | null | undefined;
    changes.push(['stream_options', { ...options, include_usage: true }]);
  }
  if (rewritten) return Buffer.from(JSON.stringify({ ...body.value, ...Object.fromEntries(changes) }));
  if (changes.length === 0) return body.bytes;
  return withMembers(body, changes);
}
