/** Callers over real sockets, one upstream call for those who ask the same, and a simulator behind it. */
import { after, before } from 'node:test';
import fastify, { type FastifyRequest } from 'fastify';
import { Estimator } from '../../../src/admission/estimate/estimator.ts';
import { chargeOf, settlementOf } from '../../../src/admission/settlement.ts';
import type { ConfigInput } from '../../../src/config/schema.ts';
import type { Call, CallEnd } from '../../../src/core/call.ts';
import { noPrices } from '../../../src/core/money.ts';
import type { Principal } from '../../../src/core/principal.ts';
import type { Settlement } from '../../../src/core/ticket.ts';
import { type JsonBody, jsonBodyParser } from '../../../src/http/body.ts';
import { openCall } from '../../../src/http/context.ts';
import { type Endpoint, endpoints } from '../../../src/http/endpoints.ts';
import { Exchanges, type Inference } from '../../../src/http/exchange.ts';
import { Responder } from '../../../src/http/respond.ts';
import { dispatchShared, playStored } from '../../../src/http/share.ts';
import type { SimulatorOptions } from '../../../src/simulator/options.ts';
import { createSimulator } from '../../../src/simulator/server.ts';
import type { AnswerShape, SharedEnd, StoredAnswer } from '../../../src/upstream/answer-source.ts';
import type { TargetOf } from '../../../src/upstream/call-route.ts';
import { Models } from '../../../src/upstream/models.ts';
import { Router } from '../../../src/upstream/router.ts';
import { SharedCalls } from '../../../src/upstream/shared/shared-calls.ts';
import type { Upstream } from '../../../src/upstream/upstream.ts';
import { configured } from '../support/configured.ts';

export const SERVED = '/models/simulated';
const PRICES = { ...noPrices, request: 1_000, inputToken: 10, outputToken: 100 };

/** What became of one caller's ticket; `settlement` undefined: as if it had never been. */
export interface Settled {
  readonly how: CallEnd;
  readonly settlement: Settlement | undefined;
}

export interface House {
  readonly simulator: ReturnType<typeof createSimulator>;
  readonly shared: SharedCalls;
  readonly exchanges: Exchanges;
  readonly url: string;
  /** The simulator, as the gateway sees it. */
  readonly upstream: Upstream;
  /** By request id. */
  readonly settled: Map<string, Settled>;
  /** Records of the calls whose log line would have been written, by request id. */
  readonly observed: Map<string, Call>;
  readonly ends: SharedEnd[];
  /** Played to callers that say so. */
  stored: StoredAnswer | undefined;
  ask(id: string, wishes?: Wishes): Promise<Response>;
}

export interface Wishes {
  readonly content?: string;
  readonly stream?: boolean;
  readonly kept?: boolean;
  readonly stored?: boolean;
  readonly signal?: AbortSignal;
}

interface HouseOptions extends SimulatorOptions {
  readonly bytesMax?: number;
  readonly timeouts?: ConfigInput['timeouts'];
  readonly maxInFlight?: number;
}

/** Started before the first test of the file and ended after the last. */
export function sharingHouse({
  bytesMax = 1_048_576,
  timeouts,
  maxInFlight,
  ...options
}: HouseOptions = {}): House {
  const simulator = createSimulator({ models: [SERVED], ...options });
  const shared = new SharedCalls();
  const exchanges = new Exchanges();
  const responder = new Responder(exchanges, false);
  const estimator = new Estimator(() => undefined);
  const app = fastify();
  let url = '';
  let upstream: Upstream | undefined;
  const house: House = {
    ...{ simulator, shared, exchanges, settled: new Map(), observed: new Map(), ends: [], stored: undefined },
    get url() {
      return url;
    },
    get upstream() {
      return upstream as Upstream;
    },
    ask: (id, { content = 'the same', stream = true, kept, stored, signal } = {}) =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: {
          ...{ 'content-type': 'application/json', 'x-request-id': id },
          ...(kept && { 'x-test-kept': 'yes' }),
          ...(stored && { 'x-test-stored': 'yes' }),
        },
        body: JSON.stringify({ model: 'public', stream, messages: [{ role: 'user', content }] }),
        ...(signal && { signal }),
      }),
  };

  before(async () => {
    const { url: simulatorUrl } = await simulator.listen('127.0.0.1', 0);
    const bound = maxInFlight === undefined ? {} : { max_in_flight: maxInFlight };
    const models = new Models(
      configured({
        upstreams: [{ name: 'simulated', url: simulatorUrl, ...bound }],
        models: [{ name: 'public', upstreams: ['simulated'], upstream_model: SERVED }],
        ...(timeouts && { timeouts }),
      }),
    );
    upstream = models.upstreams.get('simulated');
    upstream?.serverHealth.probed('ok', performance.now());
    const waiting = { callsMax: 100, waitMsMax: 10_000 };
    const router = new Router({ now: () => performance.now(), random: Math.random, waiting });
    const parts = { router, exchanges, responder, shared };
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', jsonBodyParser(1_000_000));
    app.decorateRequest('inference', null);
    app.addHook(
      'onRequest',
      openCall({
        ...{ exchanges, responder },
        ended: ({ call }) => {
          call.settle?.('unsent');
          const observe = () => void house.observed.set(call.requestId, call);
          if (call.whenOver) call.whenOver(observe);
          else observe();
        },
      }),
    );
    app.post('/v1/chat/completions', (request, reply) => {
      const { call } = request;
      const inference = prepared(request, models);
      const reservation = { model: 'public', prices: PRICES, estimate: inference.estimate };
      const charge = chargeOf(reservation, estimator);
      call.settle = (how, record = call) => {
        call.settle = undefined;
        const settlement = settlementOf(record, how, reservation, estimator, charge);
        // Of a ticket that is closed twice the first time counts.
        if (!house.settled.has(call.requestId)) house.settled.set(call.requestId, { how, settlement });
      };
      const shapeOf = () => shape;
      if (request.headers['x-test-stored'] && house.stored) {
        const limits = (inference.model as NonNullable<Inference['model']>).timeouts;
        return playStored(parts, request, reply, house.stored, { shape, limits });
      }
      dispatchShared(parts, request, reply, targetOf(inference), {
        ...{ key: inference.body.bytes.toString(), kept: request.headers['x-test-kept'] === 'yes' },
        ...{ bytesMax, shapeOf, ended: (end) => void house.ends.push(end) },
      });
    });
    url = await app.listen({ host: '127.0.0.1', port: 0 });

    function prepared(incoming: FastifyRequest, all: Models): Inference {
      const body = incoming.body as JsonBody;
      const endpoint = endpoints.find(({ path }) => path === '/v1/chat/completions') as Endpoint;
      incoming.call.principal = principal;
      incoming.call.model = 'public';
      const estimate = estimator.estimate('public', body.value, body.bytes.length, endpoint.path);
      incoming.inference = {
        ...{ endpoint, body, requestedModel: 'public', modelName: 'public', suffix: undefined, estimate },
        ...{ streamed: body.value.stream === true, media: { allowed_hosts: [] } as never },
        model: all.resolve('public', 0, Math.random),
      };
      return incoming.inference;
    }
  });
  after(async () => {
    app.server.closeAllConnections();
    await app.close();
    await simulator.close();
  });
  return house;
}

const principal = {
  ...{ keyId: 'k', keyName: 'test', tenant: 'acme', priority: 0, showAttempts: false, policies: [] },
  ofKey: { models: null },
  ofTenant: { models: null },
} as unknown as Principal;

const shape: AnswerShape = {
  ...{ kind: 'openai', upstreamModel: SERVED, model: 'public', lastMember: undefined, suffix: undefined },
  ...{ dropUsageChunk: true, ending: 'done' },
};

function targetOf({ body }: Inference): TargetOf {
  const usage = body.value.stream === true && { stream_options: { include_usage: true } };
  const bytes = Buffer.from(JSON.stringify({ ...body.value, model: SERVED, ...usage }));
  return (_model, { upstream }) => ({
    ...{ upstream, method: 'POST', path: '/v1/chat/completions', shape, body: bytes },
    headers: ['content-type', 'application/json'],
  });
}
