/** Who answers a request: control, a plain page, or a call of the model. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Whole } from './answer.ts';
import { readBody } from './body.ts';
import { Call, type Connection } from './call.ts';
import { control } from './control.ts';
import { createEngine } from './engine.ts';
import type { FaultBook } from './fault-book.ts';
import { type Fault, parseHeaders } from './faults.ts';
import { type Fields, isFields } from './json.ts';
import type { Ledger } from './ledger.ts';
import type { Settings } from './options.ts';
import type { Pacer } from './pacer.ts';
import { pageOf, pagePaths } from './pages.ts';
import { createPrefixCache } from './prefix-cache.ts';
import { type Prompt, promptOf } from './prompt.ts';
import * as refusals from './refusals.ts';
import { DirectReply } from './reply.ts';
import { answerOf, postRoutes, type Target } from './routes.ts';
import { createRunQueue } from './run-queue.ts';
import { Recorded, type Recorder, type SimulatorState } from './state.ts';

interface House {
  readonly settings: Settings;
  readonly ledger: Ledger;
  readonly pacer: Pacer;
  readonly recorder: Recorder;
  readonly faults: FaultBook;
  readonly state: SimulatorState;
}

export interface Dispatch {
  isControl(request: IncomingMessage): boolean;
  serve(connection: Connection, request: IncomingMessage, response: ServerResponse): void;
}

export function createDispatch({ settings, ledger, pacer, recorder, faults, state }: House): Dispatch {
  const engine = createEngine(settings);
  const startedAt = engine.created();
  const prefixCache = createPrefixCache();
  const workshop = { settings, pacer, queue: createRunQueue(settings.runningMax, ledger) };

  const serveControl = (path: string, request: IncomingMessage, response: ServerResponse) =>
    readBody(request, (body) => {
      send(response, { ...refusals.notFound, ...control(request.method ?? '', path, body, state, faults) });
    });

  const page = (path: string): Whole => {
    const found = pageOf(path, settings, ledger, startedAt);
    return path === '/health' && faults.switches.unhealthy ? { ...found, status: 503 } : found;
  };

  const answer = (target: Target, fields: Fields, prompt: Prompt, fault: Fault) => {
    const model = typeof fields.model === 'string' ? fields.model : settings.models[0];
    if (!settings.models.includes(model)) return refusals.unknownModel(model);
    const cachedTokens = Math.min(prefixCache.read(prompt.texts), prompt.tokens - 1);
    ledger.cachedTokens += cachedTokens;
    return answerOf(target, { fields, model, promptTokens: prompt.tokens, cachedTokens, fault }, engine);
  };

  const call = (
    target: Target,
    body: Buffer,
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
  ) => {
    const fields = parse(body);
    if (!fields) return send(response, refusals.badJson());
    const prompt = promptOf(fields);
    const own = parseHeaders(request.rawHeaders);
    if (own && 'problem' in own) return send(response, refusals.badRequest(own.problem));
    const lying = faults.take(prompt.texts);
    const fault = own ? { ...lying, ...own.value } : lying;
    new Call(workshop, connection, response, prompt.tokens, fault, () =>
      answer(target, fields, prompt, fault),
    ).begin();
  };

  return {
    isControl: (request) => pathOf(request).startsWith('/sim/'),
    serve(connection, request, response) {
      const path = pathOf(request);
      connection.requests++;
      if (path.startsWith('/sim/')) return serveControl(path, request, response);
      if (!isAuthorized(path, request, settings)) return refuse(request, response, refusals.unauthorized);
      const target = postRoutes.get(path);
      if (target && request.method === 'POST') {
        return readBody(request, (body) => {
          recorder.last = new Recorded(request, path, body);
          call(target, body, connection, request, response);
        });
      }
      const isPage = pagePaths.has(path);
      if (isPage && request.method === 'GET') return send(response, page(path));
      refuse(request, response, isPage || target ? refusals.methodNotAllowed : refusals.notFound);
    },
  };
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** vLLM's key guards /v1 alone. */
function isAuthorized(path: string, request: IncomingMessage, { apiKey }: Settings): boolean {
  return (
    apiKey === undefined || !path.startsWith('/v1') || request.headers.authorization === `Bearer ${apiKey}`
  );
}

function parse(body: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function refuse(request: IncomingMessage, response: ServerResponse, answer: Whole): void {
  request.resume();
  send(response, answer);
}

function send(response: ServerResponse, { status, contentType, body }: Whole): void {
  const reply = new DirectReply(response, false);
  reply.head(status, contentType, Buffer.byteLength(body));
  reply.end(body);
}
