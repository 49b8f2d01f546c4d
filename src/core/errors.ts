/**
 * Every answer that is not a success, in one table. A refusal is a value: code that cannot go on returns or
 * sends one, and nothing else in the gateway builds an error body.
 *
 * `blame` says whose fault it was and is a metric label; `retryable` becomes `x-should-retry`.
 */

export type Blame = 'client' | 'limit' | 'upstream' | 'us';

interface ErrorKind {
  readonly status: number;
  /** OpenAI's `error.type`. */
  readonly type: string;
  /** OpenAI's `error.code`. */
  readonly code: string;
  readonly blame: Blame;
  readonly retryable: boolean;
  /** What it means and what to do, for the documentation. */
  readonly meaning: string;
}

const client = { type: 'invalid_request_error', blame: 'client', retryable: false } as const;
const upstream = { type: 'server_error', blame: 'upstream', retryable: true } as const;

export const errorTable = {
  bad_http: {
    ...client,
    status: 400,
    code: 'bad_http',
    meaning: 'The bytes are not HTTP/1.1 as the gateway takes it: one Host header, a path as target.',
  },
  invalid_json: { ...client, status: 400, code: 'invalid_json', meaning: 'The body is not valid JSON.' },
  json_too_complex: {
    ...client,
    status: 400,
    code: 'json_too_complex',
    meaning: 'The body is nested too deeply, has too many values, or repeats a top-level key.',
  },
  missing_parameter: {
    ...client,
    status: 400,
    code: 'missing_required_parameter',
    meaning: 'A field that the route needs is absent; `param` names it.',
  },
  invalid_parameter: {
    ...client,
    status: 400,
    code: 'invalid_value',
    meaning: 'A field has the wrong type or is out of bounds; `param` names it.',
  },
  unsupported_parameter: {
    ...client,
    status: 400,
    code: 'unsupported_parameter',
    meaning: 'A field asks for something that this gateway does not do; `param` names it.',
  },
  remote_media_refused: {
    ...client,
    status: 400,
    code: 'remote_media_refused',
    meaning: 'An image is named by address. Send it as a `data:` URL, or have its host listed.',
  },
  context_length_exceeded: {
    ...client,
    status: 400,
    code: 'context_length_exceeded',
    meaning: 'Prompt and answer do not fit the context of the model.',
  },
  upstream_rejected: {
    ...client,
    status: 400,
    code: 'upstream_rejected',
    meaning: 'The GPU server answered 4xx; its status and message are passed on.',
  },
  invalid_configuration: {
    ...client,
    status: 400,
    code: 'invalid_configuration',
    meaning: 'The configuration that was to be read anew has faults; nothing was changed.',
  },
  invalid_api_key: {
    ...client,
    status: 401,
    code: 'invalid_api_key',
    meaning: 'The key is missing, mistyped, unknown, expired, disabled or revoked.',
  },
  model_not_allowed: {
    ...client,
    type: 'permission_error',
    status: 403,
    code: 'model_not_allowed',
    meaning: 'The key may not use this model.',
  },
  permission_denied: {
    ...client,
    type: 'permission_error',
    status: 403,
    code: 'permission_denied',
    meaning:
      'The key is good, but not for this request: its scopes or role, or the addresses that may use it.',
  },
  not_found: { ...client, status: 404, code: 'not_found', meaning: 'There is nothing at this path.' },
  model_not_found: {
    ...client,
    status: 404,
    code: 'model_not_found',
    meaning: 'No model has this name; `GET /v1/models` lists them.',
  },
  job_not_found: {
    ...client,
    status: 404,
    code: 'job_not_found',
    meaning: 'The tenant of the key has no such job, or not any more.',
  },
  job_has_no_answer: {
    ...client,
    status: 404,
    code: 'job_has_no_answer',
    meaning: 'The job has not ended, has ended without an answer, or its answer has expired.',
  },
  method_not_allowed: {
    ...client,
    status: 405,
    code: 'method_not_allowed',
    meaning: 'The path exists, the method does not; `Allow` lists those that do.',
  },
  conflict: {
    ...client,
    status: 409,
    code: 'conflict',
    meaning: 'The thing exists already, or has changed meanwhile.',
  },
  idempotency_running: {
    type: 'requests',
    blame: 'limit',
    retryable: true,
    status: 409,
    code: 'idempotency_running',
    meaning: 'A request with this Idempotency-Key is still running.',
  },
  idempotency_answer_gone: {
    ...client,
    status: 409,
    code: 'idempotency_answer_gone',
    meaning: 'The request with this Idempotency-Key has run, but its answer was too large to be kept.',
  },
  idempotency_mismatch: {
    ...client,
    status: 422,
    code: 'idempotency_mismatch',
    meaning: 'This Idempotency-Key belongs to another request of the same tenant.',
  },
  job_cancelled: {
    ...client,
    status: 409,
    code: 'job_cancelled',
    meaning: 'The job for whose answer the caller waited was cancelled.',
  },
  request_timeout: {
    ...client,
    status: 408,
    code: 'request_timeout',
    meaning: 'Headers or body came too slowly.',
  },
  request_too_large: {
    ...client,
    status: 413,
    code: 'request_too_large',
    meaning: 'The body is over the limit of this route.',
  },
  request_oversized: {
    ...client,
    status: 413,
    code: 'request_oversized',
    meaning:
      'The request is too large to be answered at once, and the tenant wants no job made of it by itself.',
  },
  unsupported_media_type: {
    ...client,
    status: 415,
    code: 'unsupported_media_type',
    meaning: 'The route takes `application/json`, in UTF-8, not compressed.',
  },
  headers_too_large: {
    ...client,
    status: 431,
    code: 'headers_too_large',
    meaning: 'The request headers are over 16 KiB.',
  },
  too_many_failed_keys: {
    type: 'requests',
    blame: 'limit',
    retryable: true,
    status: 429,
    code: 'too_many_failed_keys',
    meaning:
      'Too many unknown keys came from this address within a minute, so this key, which the replica has not seen yet, was not looked up.',
  },
  rate_limit_exceeded: {
    type: 'requests',
    blame: 'limit',
    retryable: true,
    status: 429,
    code: 'rate_limit_exceeded',
    meaning:
      'Too many requests or tokens in a minute, or too many calls at once; the message names the limit. `type` is `requests` or `tokens`.',
  },
  insufficient_quota: {
    type: 'insufficient_quota',
    blame: 'limit',
    retryable: false,
    status: 429,
    code: 'insufficient_quota',
    meaning:
      'A quota of the key or its tenant is used up; the message names it and says when it begins anew.',
  },
  idempotency_full: {
    type: 'requests',
    blame: 'limit',
    retryable: false,
    status: 429,
    code: 'idempotency_full',
    meaning:
      'The tenant has as many Idempotency-Keys, or bytes of answers to them, as are remembered for one.',
  },
  too_many_jobs: {
    type: 'requests',
    blame: 'limit',
    retryable: true,
    status: 429,
    code: 'too_many_jobs',
    meaning: 'As many jobs of the tenant, or bytes of them, are unfinished as may be for one.',
  },
  internal_error: {
    type: 'server_error',
    blame: 'us',
    retryable: true,
    status: 500,
    code: 'internal_error',
    meaning: 'A fault of the gateway; the log line with the request id has the cause.',
  },
  upstream_error: {
    ...upstream,
    status: 502,
    code: 'upstream_error',
    meaning: 'The GPU server failed, or broke off its answer.',
  },
  job_failed: {
    ...upstream,
    status: 502,
    code: 'job_failed',
    meaning: 'The job for whose answer the caller waited has failed; its record has the cause.',
  },
  upstream_unavailable: {
    ...upstream,
    status: 503,
    code: 'upstream_unavailable',
    meaning: 'No GPU server of this model can be reached, or it says that it is loading or overloaded.',
  },
  overloaded: {
    type: 'service_unavailable',
    blame: 'upstream',
    retryable: true,
    status: 503,
    code: 'overloaded',
    meaning: 'All GPU servers of the model are at their bound, and so is the wait in front of them.',
  },
  store_unavailable: {
    type: 'service_unavailable',
    blame: 'us',
    retryable: true,
    status: 503,
    code: 'store_unavailable',
    meaning:
      'Redis cannot be reached and the request needs it, such as a key that this replica has not seen lately.',
  },
  job_queue_full: {
    type: 'service_unavailable',
    blame: 'us',
    retryable: true,
    status: 503,
    code: 'job_queue_full',
    meaning: 'As many jobs, or bytes of them, are unfinished as may be in all.',
  },
  policy_missing: {
    type: 'service_unavailable',
    blame: 'us',
    retryable: true,
    status: 503,
    code: 'policy_missing',
    meaning: 'The key or its tenant names a policy that the configuration of this replica does not have.',
  },
  draining: {
    type: 'service_unavailable',
    blame: 'us',
    retryable: true,
    status: 503,
    code: 'draining',
    meaning: 'The replica is shutting down and its drain limit has passed; another one will answer.',
  },
  job_expired: {
    type: 'server_error',
    blame: 'limit',
    retryable: false,
    status: 504,
    code: 'job_expired',
    meaning: 'The job for whose answer the caller waited has not run within its lifetime.',
  },
  upstream_timeout: {
    ...upstream,
    status: 504,
    code: 'upstream_timeout',
    meaning: 'The GPU server took longer than the time-out of this model.',
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorName = keyof typeof errorTable;

export interface Refusal {
  readonly name: ErrorName;
  readonly message: string;
  readonly param: string | null;
  /** Differs from the table's only where an upstream's 4xx is passed on. */
  readonly status: number;
  /** Differs from the table's where one code has several types, as OpenAI's limits do. */
  readonly type: string;
  /** Becomes `x-should-retry`; differs from the table's where the wait is too long for a client to sit out. */
  readonly retryable: boolean;
  /** For the log, never for the caller. */
  readonly reason: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

interface RefusalDetail {
  param?: string;
  status?: number;
  type?: string;
  retryable?: boolean;
  reason?: string;
  headers?: Record<string, string>;
}

export function refusal(name: ErrorName, message: string, detail: RefusalDetail = {}): Refusal {
  return {
    name,
    message,
    param: detail.param ?? null,
    status: detail.status ?? errorTable[name].status,
    type: detail.type ?? errorTable[name].type,
    retryable: detail.retryable ?? errorTable[name].retryable,
    reason: detail.reason,
    headers: detail.headers,
  };
}

/** OpenAI's error body; all four fields are always there. */
export function errorBody(refused: Refusal): string {
  const { code } = errorTable[refused.name];
  return JSON.stringify({
    error: { message: refused.message, type: refused.type, param: refused.param, code },
  });
}

/** Carries a refusal out of code that can only throw (parsers, hooks of a library). */
export class RefusalError extends Error {
  readonly refusal: Refusal;

  constructor(refused: Refusal) {
    super(refused.message);
    this.name = 'RefusalError';
    this.refusal = refused;
  }
}
