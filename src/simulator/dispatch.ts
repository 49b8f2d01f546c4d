/** Who answers a request: control, a plain page, or a call of the model. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answer, Whole } from './answer.ts';
import { readBody } from './body.ts';
import { Call, type Connection, type Workshop } from './call.ts';
import { control } from './control.ts';
import { createEngine } from './engine.ts';
import type { FaultBook } from './fault-book.ts';
import { type Fault, parseHeaders } from './faults.ts';
import type { Engine } from './inquiry.ts';
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

export class Dispatch {
  readonly #house: House;
  readonly #engine: Engine;
  readonly #workshop: Workshop;
  readonly #prefixCache = createPrefixCache();
  /** Unix time in seconds. */
  readonly #startedAt: number;

  constructor(house: House) {
    const { settings, pacer, ledger } = house;
    this.#house = house;
    this.#engine = createEngine(settings);
    this.#startedAt = this.#engine.created();
    this.#workshop = { settings, pacer, queue: createRunQueue(settings.runningMax, ledger) };
  }

  isControl(request: IncomingMessage): boolean {
    return pathOf(request).startsWith('/sim/');
  }

  serve(connection: Connection, request: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(request);
    connection.requests++;
    const target = postRoutes.get(path);
    if (path.startsWith('/sim/')) this.#control(path, request, response);
    else if (!isAuthorized(path, request, this.#house.settings))
      refuse(request, response, refusals.unauthorized);
    else if (target && request.method === 'POST') {
      readBody(request, (body) => {
        this.#house.recorder.last = new Recorded(request, path, body);
        this.#call(target, body, connection, request, response);
      });
    } else if (pagePaths.has(path) && request.method === 'GET') send(response, this.#page(path));
    else {
      const known = target !== undefined || pagePaths.has(path);
      refuse(request, response, known ? refusals.methodNotAllowed : refusals.notFound);
    }
  }

  #control(path: string, request: IncomingMessage, response: ServerResponse): void {
    const { state, faults } = this.#house;
    readBody(request, (body) => {
      send(response, { ...refusals.notFound, ...control(request.method ?? '', path, body, state, faults) });
    });
  }

  #page(path: string): Whole {
    const { settings, ledger, faults } = this.#house;
    if (path === '/metrics') {
      if (faults.switches.no_metrics) return refusals.notFound;
      ledger.counts.metrics_read++;
      ledger.changed();
    }
    const page = pageOf(path, settings, ledger, this.#startedAt);
    return path === '/health' && faults.switches.unhealthy ? { ...page, status: 503 } : page;
  }

  #call(
    target: Target,
    body: Buffer,
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const fields = parse(body);
    if (!fields) {
      send(response, refusals.badJson());
      return;
    }
    const own = parseHeaders(request.rawHeaders);
    if (own && 'problem' in own) {
      send(response, refusals.badRequest(own.problem));
      return;
    }
    const prompt = promptOf(fields);
    const lying = this.#house.faults.take(prompt.texts);
    const fault = own ? { ...lying, ...own.value } : lying;
    const answer = () => this.#answer(target, fields, prompt, fault);
    new Call(this.#workshop, connection, response, prompt.tokens, fault, answer).begin();
  }

  #answer(target: Target, fields: Fields, prompt: Prompt, fault: Fault): Answer {
    const { settings, ledger } = this.#house;
    const model = typeof fields.model === 'string' ? fields.model : settings.models[0];
    if (!settings.models.includes(model)) return refusals.unknownModel(model);
    const cachedTokens = Math.min(this.#prefixCache.read(prompt.texts), prompt.tokens - 1);
    ledger.cachedTokens += cachedTokens;
    return answerOf(
      target,
      { fields, model, promptTokens: prompt.tokens, cachedTokens, fault },
      this.#engine,
    );
  }
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
