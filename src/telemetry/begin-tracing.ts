/**
 * Traces by OpenTelemetry, switched on by its standard variables. Without an endpoint nothing of its SDK is loaded,
 * and calls have no trace but the one that their caller brings along.
 */
import type { Tracing, TracingParts } from './tracing.ts';

/** Undefined: nobody wants traces, or nobody could get them, which a warning says. */
export async function beginTracing(parts: TracingParts): Promise<Tracing | undefined> {
  const { env, log } = parts;
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const exporter = env.OTEL_TRACES_EXPORTER || 'otlp';
  if (!endpoint || env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || exporter === 'none') return undefined;
  const fault = faultOf(endpoint, exporter, env);
  if (fault) {
    log.warn({ cause: fault }, 'no traces');
    return undefined;
  }
  const { TraceExport } = await import('./trace-export.ts');
  return new TraceExport(parts);
}

/** The endpoint may hold a password and is not repeated. */
function faultOf(endpoint: string, exporter: string, env: NodeJS.ProcessEnv): string | undefined {
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL;
  if (exporter !== 'otlp') return 'OTEL_TRACES_EXPORTER: only otlp and none are known';
  if (protocol === 'grpc') return 'OTEL_EXPORTER_OTLP_PROTOCOL: traces go by HTTP, to port 4318 as a rule';
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    return 'OTEL_EXPORTER_OTLP_ENDPOINT: must be a URL of HTTP or HTTPS';
  }
  return undefined;
}
