import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorBody, type Refusal } from '../core/errors.ts';
import type { Exchanges } from './exchange.ts';
import { pushJobHeaders } from './jobs/job-headers.ts';
import { pushLimitHeaders } from './limit-headers.ts';
import { keepingOf, pushStoredHeaders } from './stored-headers.ts';

/** Headers as `writeHead` takes them: names and values in turn. */
type HeaderList = string[];

const JSON_TYPE = 'application/json; charset=utf-8';
const STREAM_TYPE = 'text/event-stream; charset=utf-8';

/**
 * The only place that writes status lines and headers of the public listener. It goes to the raw response in
 * every case, because a relayed answer has to, and two ways of setting headers would drift apart.
 */
export class Responder {
  readonly #exchanges: Exchanges;
  readonly #pluginsSetHeaders: boolean;

  /** `pluginsSetHeaders`: whether the reply may carry headers, such as those of CORS. */
  constructor(exchanges: Exchanges, pluginsSetHeaders: boolean) {
    this.#exchanges = exchanges;
    this.#pluginsSetHeaders = pluginsSetHeaders;
  }

  json(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    body: string,
    headers?: HeaderList,
  ): void {
    const bytes = Buffer.from(body);
    const list = [
      'content-type',
      JSON_TYPE,
      'content-length',
      String(bytes.length),
      'cache-control',
      'no-store',
    ];
    if (headers) list.push(...headers);
    this.#writeHead(request, reply, status, list, performance.now());
    request.call.bytesOut = bytes.length;
    reply.raw.end(bytes);
  }

  /** Does nothing where the connection's fault has been the answer already. */
  refuse(request: FastifyRequest, reply: FastifyReply, refused: Refusal): void {
    if (reply.raw.headersSent) return;
    request.call.refusal = refused;
    const headers = ['x-should-retry', String(refused.retryable)];
    for (const [name, value] of Object.entries(refused.headers ?? {})) headers.push(name, value);
    this.json(request, reply, refused.status, errorBody(refused), headers);
  }

  /** The head of an answer whose body comes from a GPU server. Of its headers only type and length live on. */
  relayed(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    contentType: string,
    contentLength: number | undefined,
  ): void {
    const { call } = request;
    const list = call.streamed
      ? ['content-type', STREAM_TYPE, 'cache-control', 'no-cache, no-transform', 'x-accel-buffering', 'no']
      : ['content-type', contentType || JSON_TYPE, 'cache-control', keepingOf(call)];
    if (contentLength !== undefined) list.push('content-length', String(contentLength));
    const nowMs = performance.now();
    const upstreamMs = (call.firstByteAtMs || nowMs) - call.forwardedAtMs;
    const gatewayMs = nowMs - call.startedAtMs - upstreamMs;
    list.push(
      'openai-processing-ms',
      upstreamMs.toFixed(0),
      'server-timing',
      `gateway;dur=${gatewayMs.toFixed(2)}, upstream;dur=${upstreamMs.toFixed(2)}`,
    );
    this.#writeHead(request, reply, status, list, nowMs);
  }

  /** The head of an answer whose body comes from our own stores, a piece at a time. */
  begin(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    contentType: string,
    headers: readonly string[],
  ): void {
    const list = request.call.streamed
      ? ['content-type', STREAM_TYPE, 'cache-control', 'no-cache, no-transform', 'x-accel-buffering', 'no']
      : ['content-type', contentType || JSON_TYPE, 'cache-control', 'no-store'];
    this.#writeHead(request, reply, status, [...list, ...headers], performance.now());
  }

  #writeHead(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    list: HeaderList,
    nowMs: number,
  ): void {
    if (!reply.sent) reply.hijack();
    const { call } = request;
    call.status = status;
    list.push('x-request-id', call.requestId);
    if (call.principal) {
      list.push('x-process-time', ((nowMs - call.startedAtMs) / 1_000).toFixed(3));
      const tried = call.principal.showAttempts ? call.tried(status) : undefined;
      if (tried) list.push('x-sluice-attempts', tried);
    }
    if (call.standing) pushLimitHeaders(list, call.standing);
    if (call.stored) pushStoredHeaders(list, call.stored, call.answeredFrom);
    if (call.job !== undefined) pushJobHeaders(list, call.job, call.preference);
    if (this.#pluginsSetHeaders) {
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) list.push(name, String(value));
      }
    }
    if (this.#exchanges.draining) list.push('connection', 'close');
    reply.raw.writeHead(status, list);
  }
}
