import { STATUS_CODES } from 'node:http';
import {
  type ErrorName,
  errorBody,
  errorTable,
  type Refusal,
  RefusalError,
  refusal,
} from '../core/errors.ts';

const fastifyFaults: Readonly<Record<string, readonly [ErrorName, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['request_too_large', 'The body is over the limit of this route.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_media_type',
    'This route does not take this Content-Type; most take application/json.',
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_json', 'The body is empty, but Content-Type announces JSON.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_json', 'The body is not valid JSON.'],
  FST_ERR_BAD_URL: ['bad_http', 'The path is not a valid one.'],
};

/** Whatever a route, a hook or Fastify itself throws. What is not known to be the caller's fault is ours: 500. */
export function refusalOfError(error: unknown): Refusal {
  if (error instanceof RefusalError) return error.refusal;
  const { code, statusCode, message } = error as { code?: unknown; statusCode?: unknown; message?: unknown };
  const known = typeof code === 'string' ? fastifyFaults[code] : undefined;
  if (known) return refusal(...known);
  const reason = String(message);
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return refusal('bad_http', 'The request cannot be read.', { reason });
  }
  return refusal('internal_error', 'The gateway failed; its log has the cause under this request id.', {
    reason,
  });
}

/** What OpenSSL says when the first bytes of a connection are those of plain HTTP. */
export const PLAIN_HTTP_CODE = 'ERR_SSL_HTTP_REQUEST';

/** What Node's parser has refused, by the code of its error. */
export function refusalOfParser(code = 'unknown'): Refusal {
  const detail = { reason: code, headers: { connection: 'close' } };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return refusal('request_timeout', 'The request came too slowly.', detail);
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return refusal('headers_too_large', 'The request headers are too large.', detail);
  }
  if (code === PLAIN_HTTP_CODE) {
    return refusal('bad_http', 'This listener speaks HTTPS; the address must begin with https://.', detail);
  }
  return refusal('bad_http', 'The request is not valid HTTP.', detail);
}

/** A whole answer, for bytes that never became a request: there is no response object to write it with. */
export function answerOnSocket(refused: Refusal, requestId: string): string {
  const body = errorBody(refused);
  const lines = [
    `HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    `x-should-retry: ${errorTable[refused.name].retryable}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
