/** What a request asks for, once the policies of its caller have been applied to it, and of which model. */
import type { FastifyRequest } from 'fastify';
import type { LiveConfig } from '../config/live.ts';
import type { Config } from '../config/schema.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import type { Principal } from '../core/principal.ts';
import type { Models } from '../upstream/models.ts';
import { hashOf } from '../upstream/version-choice.ts';
import type { JsonBody } from './body.ts';
import type { Endpoint } from './endpoints.ts';
import type { Inference } from './exchange.ts';
import { checkAllowed } from './model-access.ts';
import { applyPolicies, policiesNamed } from './policy/apply.ts';
import { suffixOf } from './policy/suffix.ts';

/** A request whose body has been checked. */
type Asked = Pick<FastifyRequest, 'body' | 'call' | 'inference'>;

export interface PrepareParts {
  readonly config: Pick<Config, 'listen'>;
  readonly live: () => LiveConfig;
  readonly models: Models;
}

/** 400, 503: sets `request.inference`. */
export function prepare(
  endpoint: Endpoint,
  { config, live }: Pick<PrepareParts, 'config' | 'live'>,
  request: Asked,
  principal: Principal,
): Refusal | undefined {
  const { caps, media, policies: configured } = live();
  const body = request.body as JsonBody;
  const { model, stream } = body.value;
  const requestedModel = typeof model === 'string' ? model : undefined;
  const inference = {
    endpoint,
    body,
    requestedModel,
    modelName: requestedModel,
    suffix: undefined,
    streamed: stream === true,
    media,
    model: undefined,
    estimate: undefined,
  };
  request.inference = inference;
  if (principal.policies.length === 0) return undefined;
  const policies = policiesNamed(principal.policies, configured);
  if ('message' in policies) return policies;
  const bounds = { caps, addedBytesMax: config.listen.body_limit_bytes };
  const applied = applyPolicies(endpoint, body, policies, bounds);
  if ('message' in applied) return applied;
  request.inference = {
    ...inference,
    body: applied.body,
    modelName: applied.modelName,
    suffix: suffixOf(policies, principal, request.call.requestId, applied.body.value),
    media: applied.mediaHosts ? { ...media, allowed_hosts: [...applied.mediaHosts] } : media,
  };
  return undefined;
}

/** 403, 404, 503: which model is meant, and may this key use it? */
export function findModel(
  { models }: Pick<PrepareParts, 'models'>,
  request: Asked,
  principal: Principal,
): Refusal | undefined {
  const inference = request.inference as Inference;
  const model = models.resolve(inference.modelName, hashOf(principal.keyId), Math.random);
  const refused = model ? checkAllowed(principal, model) : noModel(inference.modelName, models);
  if (refused) return refused;
  inference.model = model;
  request.call.model = model?.name;
  request.call.version = model?.version;
  return undefined;
}

const QUOTED_CHARACTERS_MAX = 128;

function noModel(wanted: string | undefined, models: Models): Refusal {
  if (wanted === undefined) {
    return refusal('missing_parameter', "Missing required parameter: 'model'.", { param: 'model' });
  }
  if (models.incomplete) {
    const message = 'The model server has not been reached yet, so its models are not known.';
    return refusal('upstream_unavailable', message, { headers: { 'retry-after': '1' } });
  }
  const quoted = wanted.slice(0, QUOTED_CHARACTERS_MAX);
  return refusal('model_not_found', `The model '${quoted}' does not exist.`, { param: 'model' });
}

/** Of policies: nearly always the very same list. */
export function isSameList(one: readonly string[], other: readonly string[]): boolean {
  return one === other || (one.length === other.length && one.every((name, index) => name === other[index]));
}
