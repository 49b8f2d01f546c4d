import { type DestinationStream, destination, type Logger, pino } from 'pino';
import type { Call, Outcome } from '../core/call.ts';
import type { ErrorName } from '../core/errors.ts';

export type { Logger };

export interface LogConfig {
  readonly level: string;
  readonly file?: string | undefined;
}

export interface Log {
  readonly logger: Logger;
  /** A line as the logger would write it, from fields that need no serializer; empty if the level is off. */
  line(level: 'info' | 'warn', fields: object): string;
  /** Writes such lines, best many at once: the sink measures all that it holds for each further piece. */
  write(lines: string): void;
  /** Opens the file anew, after a rotation. */
  reopen(): void;
  /** Writes out what is buffered; for the end of the process. */
  flush(): void;
}

/** Lines are gathered and written off the request's path, at the latest after this long. */
const FLUSH_INTERVAL_MS = 250;
const BUFFER_BYTES = 4_096;

export function createLog(config: LogConfig, bindings: Record<string, unknown>): Log {
  const sink = destination({
    dest: config.file ?? 1,
    mkdir: true,
    sync: false,
    minLength: BUFFER_BYTES,
    periodicFlush: FLUSH_INTERVAL_MS,
  });
  // A process that cannot start may end before its log is open; what there is to say goes to standard error then.
  let isOpen = false;
  sink.once('ready', () => {
    isOpen = true;
  });
  const time = isoTime();
  const logger = createLogger(config.level, bindings, sink, time);
  const base = JSON.stringify(bindings).slice(1, -1);
  return {
    logger,
    line(level, fields) {
      if (!logger.isLevelEnabled(level)) return '';
      return `{"level":"${level}"${time()},${base},${JSON.stringify(fields).slice(1)}\n`;
    },
    write: (lines) => void sink.write(lines),
    reopen: () => {
      if (config.file) sink.reopen();
    },
    flush: () => {
      if (isOpen) sink.flushSync();
    },
  };
}

export function createLogger(
  level: string,
  bindings: Record<string, unknown>,
  sink: DestinationStream,
  timestamp: () => string = isoTime(),
): Logger {
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: bindings, timestamp, formatters }, sink);
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
export function callLine(log: Log, call: Call, outcome: Outcome, endedAtMs: number): string {
  const { principal, refusal, usage } = call;
  const line = {
    request_id: call.requestId,
    trace_id: call.trace?.traceId,
    method: call.method,
    route: call.route,
    status: call.status,
    outcome,
    tenant: principal?.tenant,
    key: principal?.keyId,
    model: call.model,
    version: call.version,
    upstream: call.upstream,
    answered_from: call.answeredFrom === 'upstream' ? undefined : call.answeredFrom,
    job: call.job,
    streamed: call.streamed || undefined,
    error: refusal?.name,
    blame: call.blame(),
    reason: refusal?.reason,
    attempts: call.attempts > 1 ? call.attempts : undefined,
    tried: call.attempts > 1 ? call.tried(call.status) : undefined,
    bytes_in: call.bytesIn,
    bytes_out: call.bytesOut,
    tokens_in: usage?.inputTokens,
    tokens_out: usage?.outputTokens,
    tokens_cached: usage?.cachedTokens || undefined,
    total_ms: rounded(endedAtMs - call.startedAtMs),
    first_byte_ms: call.firstByteAtMs > 0 ? rounded(call.firstByteAtMs - call.startedAtMs) : undefined,
    gateway_ms: rounded(call.gatewayMs(endedAtMs)),
    address: call.clientAddress,
    msg: 'request',
  };
  const isSuspect = refusal !== undefined && suspect.has(refusal.name);
  return log.line(isSuspect ? 'warn' : 'info', line);
}

/** What an operator should look at. */
const suspect: ReadonlySet<ErrorName> = new Set(['invalid_api_key', 'permission_denied', 'internal_error']);

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}
