import { type DestinationStream, destination, type Logger, pino } from 'pino';
import type { Call, Outcome } from '../core/call.ts';

export type { Logger };

export interface LogConfig {
  readonly level: string;
  readonly file?: string | undefined;
}

export interface Log {
  readonly logger: Logger;
  /** Opens the file anew, after a rotation. */
  reopen(): void;
  /** Writes out what is buffered; for the end of the process. */
  flush(): void;
}

/** Lines are gathered and written off the request's path, at the latest after this long. */
const FLUSH_INTERVAL_MS = 250;
const BUFFER_BYTES = 32_768;
const WRITE_BYTES_MAX = 65_536;

export function createLog(config: LogConfig, bindings: Record<string, unknown>): Log {
  const sink = destination({
    dest: config.file ?? 1,
    mkdir: true,
    sync: false,
    minLength: BUFFER_BYTES,
    maxWrite: WRITE_BYTES_MAX,
    periodicFlush: FLUSH_INTERVAL_MS,
  });
  return {
    logger: createLogger(config.level, bindings, sink),
    reopen: () => {
      if (config.file) sink.reopen();
    },
    flush: () => sink.flushSync(),
  };
}

export function createLogger(
  level: string,
  bindings: Record<string, unknown>,
  sink: DestinationStream,
): Logger {
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: bindings, timestamp: isoTime(), formatters }, sink);
}

/** As pino's own, which formats anew for every line; under load many lines share a millisecond. */
function isoTime(): () => string {
  let formattedMs = 0;
  let text = '';
  return () => {
    const nowMs = Date.now();
    if (nowMs !== formattedMs) {
      formattedMs = nowMs;
      text = `,"time":"${new Date(nowMs).toISOString()}"`;
    }
    return text;
  };
}

/** The one line of a request. No prompt, no answer, no key: only what is named here is ever written. */
export function logCall(logger: Logger, call: Call, outcome: Outcome, endedAtMs: number): void {
  const { principal, refusal, usage } = call;
  const line = {
    request_id: call.requestId,
    method: call.method,
    route: call.route,
    status: call.status,
    outcome,
    tenant: principal?.tenant,
    key: principal?.keyId,
    model: call.model,
    upstream: call.upstream,
    streamed: call.streamed || undefined,
    error: refusal?.name,
    blame: call.blame(),
    reason: refusal?.reason,
    attempts: call.attempts > 1 ? call.attempts : undefined,
    bytes_in: call.bytesIn,
    bytes_out: call.bytesOut,
    tokens_in: usage?.inputTokens,
    tokens_out: usage?.outputTokens,
    tokens_cached: usage?.cachedTokens || undefined,
    total_ms: rounded(endedAtMs - call.startedAtMs),
    first_byte_ms: call.firstByteAtMs > 0 ? rounded(call.firstByteAtMs - call.startedAtMs) : undefined,
    gateway_ms: rounded(call.gatewayMs(endedAtMs)),
    address: call.clientAddress,
  };
  if (refusal?.name === 'invalid_api_key' || refusal?.name === 'internal_error') logger.warn(line, 'request');
  else logger.info(line, 'request');
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}
