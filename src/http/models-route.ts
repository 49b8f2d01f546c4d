import type { FastifyReply, FastifyRequest } from 'fastify';
import { refusal } from '../core/errors.ts';
import { isModelAllowed } from '../core/limits.ts';
import type { Models, PublicModel } from '../upstream/models.ts';
import type { Responder } from './respond.ts';

interface ModelsParts {
  readonly models: Models;
  readonly responder: Responder;
  /** Seconds; when the configuration was read. */
  readonly createdAt: number;
}

export const MODELS_PATH = '/v1/models';

type Handler = (request: FastifyRequest, reply: FastifyReply) => void;

/** `GET /v1/models`: those that this key may use. */
export function listModels({ models, responder, createdAt }: ModelsParts): Handler {
  return (request, reply) => {
    const data = models.list().filter((model) => mayUse(request, model));
    const body = { object: 'list', data: data.map((model) => shown(model, createdAt)) };
    responder.json(request, reply, 200, JSON.stringify(body));
  };
}

/** `GET /v1/models/{id}`; the id may hold slashes. */
export function showModel({ models, responder, createdAt }: ModelsParts): Handler {
  return (request, reply) => {
    const { '*': id } = request.params as { '*': string };
    const model = models.list().find((one) => one.name === id && mayUse(request, one));
    if (model) return responder.json(request, reply, 200, JSON.stringify(shown(model, createdAt)));
    responder.refuse(request, reply, refusal('model_not_found', 'No such model.', { param: 'model' }));
  };
}

function mayUse({ call: { principal } }: FastifyRequest, { name }: PublicModel): boolean {
  if (!principal) return false;
  return isModelAllowed(principal.ofKey, name) && isModelAllowed(principal.ofTenant, name);
}

function shown(model: PublicModel, createdAt: number) {
  return {
    id: model.name,
    object: 'model',
    created: createdAt,
    owned_by: 'sluice',
    ...(model.contextLength !== undefined && { max_model_len: model.contextLength }),
  };
}
