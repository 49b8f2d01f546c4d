/** Where a job goes: a version of a model, or the one server of a pass-through route. */
import { routePriceList } from '../config/prices.ts';
import type { Config, RouteConfig, TimeoutsConfig } from '../config/schema.ts';
import type { JobSpec } from '../core/job-spec.ts';
import { JsonScanner } from '../core/json-scan.ts';
import type { Prices } from '../core/money.ts';
import type { AnswerShape } from '../upstream/answer-source.ts';
import type { Target } from '../upstream/attempts.ts';
import type { Member } from '../upstream/member.ts';
import type { Model, Models } from '../upstream/models.ts';
import { upstreamHeaders, withMembers } from '../upstream/outgoing.ts';
import { versionedName } from '../upstream/public-model.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { hashOf } from '../upstream/version-choice.ts';

export type Destination = {
  readonly prices: Prices;
  readonly timeouts: TimeoutsConfig;
} & (
  | { readonly kind: 'model'; readonly model: Model }
  | { readonly kind: 'route'; readonly route: RouteConfig; readonly upstream: Upstream }
);

interface DestinationParts {
  readonly models: Pick<Models, 'resolve' | 'upstreams'>;
  readonly config: Pick<Config, 'routes'>;
  readonly timeouts: () => TimeoutsConfig;
}

/** Undefined: this process has no such model or route, by its configuration. */
export function destinations({ models, config, timeouts }: DestinationParts) {
  const routes = new Map(config.routes.map((route) => [route.path, route]));
  const pricesOf = routePriceList(config);
  return (spec: JobSpec): Destination | undefined => {
    if (spec.kind === 'inference') {
      const wanted = spec.version === null ? spec.model : versionedName(spec.model, spec.version);
      const model = models.resolve(wanted, hashOf(spec.key_id), Math.random);
      return model && { kind: 'model', model, prices: model.prices, timeouts: model.timeouts };
    }
    const route = routes.get(spec.path);
    const upstream = route && models.upstreams.get(route.upstream);
    if (!upstream) return undefined;
    const limits = { ...timeouts(), ...route.timeouts };
    return { kind: 'route', route, upstream, prices: pricesOf(route.path), timeouts: limits };
  };
}

/** The request as a server of the model shall get it. */
export function modelTarget(spec: JobSpec, body: Buffer) {
  return (model: Model, { upstream, upstreamModel }: Member): Target => ({
    upstream,
    method: 'POST',
    path: spec.path,
    headers: upstreamHeaders(upstream.authorization, spec.request_id),
    body: outgoingBody(spec, body, upstreamModel),
    shape: answerShape(spec, model, upstreamModel),
  });
}

export function routeTarget(spec: JobSpec, body: Buffer, route: RouteConfig, upstream: Upstream): Target {
  const query = spec.query === '' ? '' : `?${spec.query}`;
  const headers = ['x-request-id', spec.request_id, ...upstream.authorization];
  if (spec.content_type !== null) headers.push('content-type', spec.content_type);
  if (spec.accept !== null) headers.push('accept', spec.accept);
  return {
    upstream,
    method: spec.method,
    path: (route.upstream_path ?? route.path) + query,
    headers,
    body: body.length > 0 ? body : null,
    shape: { kind: 'plain' },
  };
}

function answerShape(spec: JobSpec, model: Model, upstreamModel: string): AnswerShape {
  return {
    kind: 'openai',
    model: spec.requested_model ?? model.name,
    upstreamModel,
    suffix: spec.suffix ?? undefined,
    dropUsageChunk: spec.asks_for_usage,
    // Streams of the Responses API end with an event that says so, and carry their usage in it.
    ending: spec.path === '/v1/responses' ? 'terminal_event' : 'done',
  };
}

/** Has been looked at before it was accepted. */
const UNBOUNDED = { depthMax: Number.MAX_SAFE_INTEGER, valuesMax: Number.MAX_SAFE_INTEGER };

function outgoingBody(spec: JobSpec, bytes: Buffer, upstreamModel: string): Buffer {
  const changes: [name: string, value: unknown][] = [];
  if (spec.requested_model !== upstreamModel) changes.push(['model', upstreamModel]);
  if (changes.length === 0 && !spec.asks_for_usage) return bytes;
  const scanner = new JsonScanner(UNBOUNDED);
  scanner.feed(bytes);
  const { members } = scanner;
  if (spec.asks_for_usage) {
    const options = members.get('stream_options');
    const asked: unknown = options && JSON.parse(bytes.toString('utf8', options.start, options.end));
    changes.push(['stream_options', { ...Object(asked), include_usage: true }]);
  }
  return withMembers({ bytes, members }, changes);
}
