/** A request that may become a job, whatever its route: all that the door and the wait for its answer have to know. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Estimator } from '../../admission/estimate/estimator.ts';
import { storedEstimate } from '../../admission/jobs/stored-estimate.ts';
import { chargeOf } from '../../admission/settlement.ts';
import type { LiveConfig } from '../../config/live.ts';
import type { Config } from '../../config/schema.ts';
import type { Refusal } from '../../core/errors.ts';
import type { JobSpec } from '../../core/job-spec.ts';
import type { Principal } from '../../core/principal.ts';
import type { AnswerShape } from '../../upstream/answer-source.ts';
import { affinityHash } from '../../upstream/choice/affinity-key.ts';
import { findRemoteMedia, inlineRemoteMedia } from '../../upstream/media.ts';
import type { Model, Models } from '../../upstream/models.ts';
import type { Limits } from '../../upstream/watchdog.ts';

import type { JsonBody } from '../body.ts';
import type { Inference } from '../exchange.ts';
import { answerShape, wantsUsageChunk } from '../inference.ts';
import { checkAllowed } from '../model-access.ts';
import { findModel, isSameList, prepare } from '../prepare.ts';
import { digestOf } from '../request-digest.ts';
import { reservationOf } from '../reservation.ts';

export interface Subject {
  readonly streamed: boolean;
  /** Public name, or the pattern of a pass-through route. */
  readonly model: string;
  readonly limits: Limits;
  /** How the job's answer is looked at on its way to the caller. */
  readonly shape: AnswerShape;
  /** As it is for the principal of the call. */
  order(): { readonly spec: JobSpec; readonly body: Buffer };
  /** The caller's record has changed. */
  renew(principal: Principal): Refusal | undefined;
  /** What the worker cannot do: images that are named by address are fetched. */
  complete(): Promise<Refusal | undefined>;
  /** Of path and body as they came. */
  digest(): string;
}

export interface SubjectParts {
  readonly config: Pick<Config, 'listen'>;
  readonly live: () => LiveConfig;
  readonly models: Models;
  readonly estimator: Estimator;
  readonly version: string;
}

/** A request for an answer of a model, once that is known. */
export function inferenceSubject(parts: SubjectParts, request: FastifyRequest, reply: FastifyReply): Subject {
  const { call } = request;
  const current = () => request.inference as Inference & { model: Model };
  const first = current();
  const { model } = first;
  let fetched: Buffer | undefined;
  return {
    streamed: first.streamed,
    model: model.name,
    limits: model.timeouts,
    shape: {
      ...answerShape(call, first, { model, upstreamModel: model.name }, false, parts.version),
      // The worker has put it there.
      suffix: undefined,
    } as AnswerShape,

    order() {
      const inference = current();
      return { spec: specOf(parts, request, inference), body: fetched ?? inference.body.bytes };
    },

    renew(principal) {
      const { endpoint } = current();
      const { policies } = call.principal as Principal;
      if (isSameList(policies, principal.policies)) return checkAllowed(principal, current().model);
      fetched = undefined;
      return prepare(endpoint, parts, request, principal) ?? findModel(parts, request, principal);
    },

    async complete() {
      const { body, media: allowed } = current();
      const media = findRemoteMedia(body.value);
      if (media.length === 0) return undefined;
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const refused = await inlineRemoteMedia(media, allowed, gone.signal);
      if (!refused) fetched = Buffer.from(JSON.stringify(body.value));
      return refused;
    },

    digest: () => digestOf(first.endpoint.path, (request.body as JsonBody).bytes),
  };
}

function specOf(
  { estimator }: SubjectParts,
  { call, headers }: FastifyRequest,
  inference: Inference & { model: Model },
): JobSpec {
  const { model, endpoint, body } = inference;
  const { tenant, keyId, subject } = call.principal as Principal;
  const reservation = reservationOf(estimator, inference);
  const { pool } = model;
  const affinity =
    pool.choice === 'affinity'
      ? affinityHash(endpoint.path, body.value, headers, pool.sessionHeaders)
      : undefined;
  return {
    kind: 'inference',
    tenant,
    key_id: keyId,
    request_id: call.requestId,
    method: 'POST',
    path: endpoint.path,
    query: '',
    content_type: null,
    accept: null,
    model: model.name,
    requested_model: inference.requestedModel ?? null,
    version: model.version ?? null,
    line: pool.name,
    streamed: inference.streamed,
    asks_for_usage: wantsUsageChunk(inference),
    suffix: inference.suffix ?? null,
    estimate: reservation.estimate ? storedEstimate(reservation.estimate) : null,
    charge: chargeOf(reservation, estimator),
    affinity: affinity ?? null,
    created_at_ms: Date.now(),
    traceparent: call.trace?.traceparent,
    tracestate: call.trace?.state,
    subject,
  };
}
