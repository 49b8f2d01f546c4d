import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LiveConfig } from '../config/live.ts';
import type { Call } from '../core/call.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import { type Edit, splice } from '../core/json-scan.ts';
import type { Principal } from '../core/principal.ts';
import { findRemoteMedia, inlineRemoteMedia } from '../upstream/media.ts';
import type { Model, Models } from '../upstream/models.ts';
import type { AnswerShape } from '../upstream/relay.ts';
import type { Router } from '../upstream/router.ts';
import { hashOf } from '../upstream/version-choice.ts';
import { answerMetadata } from './answer-metadata.ts';
import type { JsonBody } from './body.ts';
import { dispatch } from './dispatch.ts';
import { checkBody, type Endpoint } from './endpoints.ts';
import type { Exchanges, Inference, Step } from './exchange.ts';
import { checkAllowed } from './model-access.ts';
import type { Responder } from './respond.ts';

export interface InferenceParts {
  /** Read once for each request, which then keeps it. */
  readonly live: () => LiveConfig;
  readonly version: string;
  readonly models: Models;
  readonly router: Router;
  readonly exchanges: Exchanges;
  readonly responder: Responder;
}

/** 400: shape, types, bounds. */
export function validate(endpoint: Endpoint, { live, responder }: InferenceParts): Step {
  return (request, reply, next) => {
    const config = live();
    const body = request.body as JsonBody | undefined;
    const refused = body
      ? (checkHeaders(request) ?? checkBody(endpoint, body.value, config.caps))
      : refusal('invalid_json', 'The request has no body.');
    if (refused || !body) return responder.refuse(request, reply, refused as Refusal);
    const { model, stream } = body.value;
    request.inference = {
      endpoint,
      body,
      requestedModel: typeof model === 'string' ? model : undefined,
      streamed: stream === true,
      media: config.media,
      model: undefined,
      estimate: undefined,
    };
    next();
  };
}

function checkHeaders(request: FastifyRequest): Refusal | undefined {
  if (request.headers['idempotency-key'] === undefined) return undefined;
  const message = 'Idempotency-Key is not supported by this gateway.';
  return refusal('unsupported_parameter', message, { param: 'Idempotency-Key' });
}

/** 403, 404: which model is meant, and may this key use it? */
export function route({ models, responder }: InferenceParts): Step {
  return (request, reply, next) => {
    const inference = request.inference as Inference;
    const { keyId } = request.call.principal as Principal;
    const model = models.resolve(inference.requestedModel, hashOf(keyId), Math.random);
    const refused = model
      ? checkAllowed(request.call.principal as Principal, model)
      : noModel(inference.requestedModel, models);
    if (refused) return responder.refuse(request, reply, refused);
    inference.model = model;
    request.call.model = model?.name;
    request.call.version = model?.version;
    next();
  };
}

const QUOTED_CHARACTERS_MAX = 128;

function noModel(requested: string | undefined, models: Models): Refusal {
  if (requested === undefined) {
    return refusal('missing_parameter', "Missing required parameter: 'model'.", { param: 'model' });
  }
  if (models.incomplete) {
    const message = 'The model server has not been reached yet, so its models are not known.';
    return refusal('upstream_unavailable', message, { headers: { 'retry-after': '1' } });
  }
  const quoted = requested.slice(0, QUOTED_CHARACTERS_MAX);
  return refusal('model_not_found', `The model '${quoted}' does not exist.`, { param: 'model' });
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
  dispatch(parts, request, reply, (model, { upstream, upstreamModel }) => ({
    upstream,
    method: 'POST',
    path: inference.endpoint.path,
    headers: upstreamHeaders(upstream.authorization, request.call.requestId),
    body: outgoingBody(inference, upstreamModel, asksForUsage, rewritten),
    shape: answerShape(request.call, inference, { model, upstreamModel }, asksForUsage, parts.version),
  }));
}

/** All that a GPU server gets to see of a request besides its body. */
function upstreamHeaders(authorization: readonly string[], requestId: string): string[] {
  return ['content-type', 'application/json', 'x-request-id', requestId, ...authorization];
}

/** Streams of chat and completions count their tokens only when asked to. */
function wantsUsageChunk({ endpoint, body, streamed }: Inference): boolean {
  if (!streamed || endpoint.streams !== 'with_stream_options') return false;
  const options = body.value.stream_options as { include_usage?: unknown } | null | undefined;
  return options?.include_usage !== true;
}

function answerShape(
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
  return splice(
    body.bytes,
    changes.map(([name, value]) => memberEdit(body, name, value)),
  );
}

function memberEdit({ bytes, members }: JsonBody, name: string, value: unknown): Edit {
  const member = members.get(name);
  const json = JSON.stringify(value);
  if (member) return { ...member, bytes: Buffer.from(json) };
  const start = bytes.indexOf(0x7b) + 1;
  const separator = members.size > 0 ? ',' : '';
  return { start, end: start, bytes: Buffer.from(`${JSON.stringify(name)}:${json}${separator}`) };
}
