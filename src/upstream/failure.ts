import { type ErrorName, errorTable, type Refusal, refusal } from '../core/errors.ts';

/** What went wrong on the wire, in words that a caller may read. Raw errors become refusals only here. */
export type Cause =
  | 'connect'
  | 'reset'
  | 'malformed'
  | 'first_byte'
  | 'idle'
  | 'total'
  | 'ended_early'
  | 'too_long';

const causes = {
  connect: ['upstream_unavailable', 'The model server cannot be reached.'],
  reset: ['upstream_error', 'The model server broke off the connection.'],
  malformed: ['upstream_error', 'The model server answered with something that is not HTTP.'],
  first_byte: ['upstream_timeout', 'The model server did not begin to answer in time.'],
  idle: ['upstream_timeout', 'The model server stopped in the middle of its answer.'],
  total: ['upstream_timeout', 'The call took longer than its time limit.'],
  ended_early: ['upstream_error', 'The model server ended its answer before it was complete.'],
  too_long: ['upstream_error', 'The model server sent an answer, or an event of one, that is too long.'],
} as const satisfies Record<Cause, readonly [ErrorName, string]>;

export function refusalOfCause(cause: Cause, upstream: string, detail?: string): Refusal {
  const [name, message] = causes[cause];
  return refusal(name, message, {
    reason: `${upstream}: ${cause}${detail ? ` (${detail})` : ''}`,
    ...(errorTable[name].status === 503 && { headers: { 'retry-after': '1' } }),
  });
}

const connectCodes = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** The cause behind an error of the HTTP client. */
export function causeOfError(error: Error & { code?: string; syscall?: string }): Cause {
  const code = error.code ?? '';
  if (error.syscall === 'connect' || connectCodes.has(code)) return 'connect';
  return code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW' ? 'malformed' : 'reset';
}

/** llama.cpp says 500 to inputs that do not fit; that is the caller's to mend and no fault of the server. */
const inputTooLong =
  /too large to process|exceeds? the (available |maximum )?context|context (size|length|window)/i;

/**
 * An answer that is no success, for the caller: the server's 4xx keeps status and message, all else is ours.
 * A 5xx body may hold stack traces and addresses and goes nowhere.
 */
export function refusalOfAnswer(status: number, body: Buffer, upstream: string): Refusal {
  const said = errorIn(body);
  const reason = `${upstream}: answered ${status}`;
  if (said && status >= 500 && inputTooLong.test(said.message)) {
    return refusal('context_length_exceeded', said.message, { reason });
  }
  if (status === 429 || status === 503) {
    const message = 'The model server is loading or overloaded.';
    return refusal('upstream_unavailable', message, { reason, headers: { 'retry-after': '1' } });
  }
  if (status === 408 || status === 504) {
    return refusal('upstream_timeout', 'The model server did not answer in time.', { reason });
  }
  // 401 and 403 are between the gateway and the server; the caller's key is fine.
  if (status < 400 || status >= 500 || status === 401 || status === 403 || status === 407) {
    return refusal('upstream_error', 'The model server failed.', { reason });
  }
  return refusal('upstream_rejected', said?.message ?? `The model server refused the request (${status}).`, {
    status,
    reason,
    ...(said?.param && { param: said.param }),
  });
}

/** The status that an error event stands for; 500 where it does not say. */
export function statusOfEvent(json: Buffer): number {
  const { error } = JSON.parse(json.toString('utf8')) as { error: { code?: unknown } };
  const { code } = error;
  return typeof code === 'number' && code >= 400 && code < 600 ? code : 500;
}

const MESSAGE_CHARACTERS_MAX = 4_096;

/** OpenAI's `{error:{message}}`, or vLLM's older `{object:"error", message}`, or FastAPI's `{detail}`. */
function errorIn(body: Buffer): { message: string; param: string | undefined } | undefined {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const nested = typeof value.error === 'object' && value.error !== null ? value.error : value;
  const { message, param } = nested as Record<string, unknown>;
  const text = message ?? value.detail ?? value.error;
  if (text === undefined) return undefined;
  return {
    message: (typeof text === 'string' ? text : JSON.stringify(text)).slice(0, MESSAGE_CHARACTERS_MAX),
    param: typeof param === 'string' ? param : undefined,
  };
}
