import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config/schema.ts';
import type { Models } from '../upstream/models.ts';
import { allMembers } from '../upstream/public-model.ts';
import type { Health } from '../upstream/upstream.ts';
import type { Exchanges } from './exchange.ts';
import type { Responder } from './respond.ts';

interface HealthParts {
  readonly config: Pick<Config, 'routes'>;
  readonly models: Models;
  readonly exchanges: Exchanges;
  readonly responder: Responder;
  readonly version: string;
  redis(): 'ok' | 'degraded';
}

const ENDPOINTS = {
  chat: '/v1/chat/completions',
  completions: '/v1/completions',
  responses: '/v1/responses',
  embeddings: '/v1/embeddings',
  rerank: '/v1/rerank',
  score: '/v1/score',
  models: '/v1/models',
  usage: '/v1/usage',
  jobs: '/v1/jobs',
  health: '/health',
};

/** `GET /`: what this is and where to go. */
export function index({ responder, exchanges, version }: HealthParts) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const status = exchanges.draining ? 'draining' : 'healthy';
    const body = { status, service: 'sluice', version, endpoints: ENDPOINTS };
    responder.json(request, reply, exchanges.draining ? 503 : 200, JSON.stringify(body));
  };
}

/** `GET /health`: 200 while the process lives, whatever is down behind it, from what the probes last saw. */
export function health({ config, models, responder, exchanges, redis }: HealthParts) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const body = {
      status: exchanges.draining ? 'draining' : 'ok',
      timestamp: new Date().toISOString(),
      gateway: exchanges.draining ? 'draining' : 'ok',
      redis: redis(),
      models: Object.fromEntries(models.list().map((model) => [model.name, best(allMembers(model))])),
      ...(config.routes.length > 0 && {
        routes: Object.fromEntries(
          config.routes.map(({ path, upstream }) => [
            path,
            models.upstreams.get(upstream)?.health ?? 'unreachable',
          ]),
        ),
      }),
    };
    responder.json(request, reply, exchanges.draining ? 503 : 200, JSON.stringify(body));
  };
}

/** A model is as well as the best of its servers. */
function best(members: ReturnType<typeof allMembers>): Health {
  for (const state of ['healthy', 'unhealthy'] as const) {
    if (members.some(({ upstream }) => upstream.health === state)) return state;
  }
  return 'unreachable';
}
