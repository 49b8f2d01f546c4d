/**
 * From ended calls to spans at the collector. Everything on the way is bounded: the queue, a batch, the time of an
 * export, the end. What does not fit, or does not arrive, is counted and forgotten. Loaded only where traces are wanted.
 */
import { hostname } from 'node:os';
import { SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode, millisToHrTime } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  type Resource,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  RandomIdGenerator,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import { CallTrace } from '../core/call-trace.ts';
import type { TraceParent } from '../core/trace.ts';
import { type EndedJobRun, type SpanFacts, spansOfCall, spansOfRun } from './call-spans.ts';
import type { Logger } from './log.ts';
import type { EndedCall } from './metrics.ts';
import { type Sampler, samplerOf } from './trace-sampler.ts';
import type { Tracing, TracingParts } from './tracing.ts';

/** Spans, as OTEL_BSP_MAX_QUEUE_SIZE has it where nobody says otherwise. */
const QUEUE_MAX = 2_048;
const CAUSE_CHARACTERS_MAX = 200;

export class TraceExport implements Tracing {
  readonly spans = { exported: 0, lost: 0 };
  readonly #ids = new RandomIdGenerator();
  readonly #newSpanId = () => this.#ids.generateSpanId();
  readonly #sampler: Sampler;
  readonly #resource: Resource;
  readonly #scope: ReadableSpan['instrumentationScope'];
  readonly #processor: BatchSpanProcessor;
  readonly #queueMax: number;
  #queued = 0;

  constructor({ role, version, env, log }: TracingParts) {
    const queueMax = countOf(env.OTEL_BSP_MAX_QUEUE_SIZE) ?? QUEUE_MAX;
    this.#sampler = samplerOf(env, (cause) => log.warn({ cause }, 'a setting of traces is not understood'));
    this.#resource = resourceOf(role, version);
    this.#scope = { name: 'sluice', version };
    this.#queueMax = queueMax;
    this.#processor = new BatchSpanProcessor({
      exporter: new CountingExporter(new OTLPTraceExporter(), log, {
        taken: (count) => {
          this.#queued -= count;
        },
        exported: (count) => {
          this.spans.exported += count;
        },
        lost: (count) => {
          this.spans.lost += count;
        },
      }),
      maxQueueSize: queueMax,
      maxExportBatchSize: countOf(env.OTEL_BSP_MAX_EXPORT_BATCH_SIZE),
      scheduledDelayMillis: countOf(env.OTEL_BSP_SCHEDULE_DELAY),
      exportTimeoutMillis: countOf(env.OTEL_BSP_EXPORT_TIMEOUT),
    });
  }

  begin(parent: TraceParent | undefined): CallTrace {
    const traceId = parent?.traceId ?? this.#ids.generateTraceId();
    const isSampled = this.#sampler(traceId, parent);
    const spanId = this.#newSpanId();
    const ids = { traceId, spanId, parentSpanId: parent?.spanId, isSampled, state: parent?.state };
    return new CallTrace(ids, isSampled ? this.#newSpanId : undefined);
  }

  calls(ended: readonly EndedCall[]): void {
    const epochMs = Date.now() - performance.now();
    for (const one of ended) {
      const { trace } = one.call;
      if (trace?.isRecorded) this.#take(spansOfCall(one, trace), trace, epochMs);
    }
  }

  run(ended: EndedJobRun): void {
    const { trace } = ended.call;
    const epochMs = Date.now() - performance.now();
    if (trace?.isRecorded) this.#take(spansOfRun(ended, trace), trace, epochMs);
  }

  async stop(limitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([this.#processor.shutdown().catch(() => undefined), over]);
    clearTimeout(timer);
  }

  /** @param epochMs the wall clock when `performance.now()` was 0 */
  #take(spans: readonly SpanFacts[], trace: CallTrace, epochMs: number): void {
    for (const facts of spans) {
      if (this.#queued >= this.#queueMax) {
        this.spans.lost += 1;
        continue;
      }
      this.#queued += 1;
      this.#processor.onEnd(this.#span(facts, trace.traceId, epochMs));
    }
  }

  #span(facts: SpanFacts, traceId: string, epochMs: number): ReadableSpan {
    const { spanId, parentSpanId, beganAtMs, hasFailed, attributes } = facts;
    const context = (id: string) => ({ traceId, spanId: id, traceFlags: TraceFlags.SAMPLED });
    const own = context(spanId);
    const tookMs = Math.max(0, facts.endedAtMs - beganAtMs);
    return {
      name: facts.name,
      kind: facts.kind,
      spanContext: () => own,
      parentSpanContext: parentSpanId === undefined ? undefined : context(parentSpanId),
      startTime: millisToHrTime(epochMs + beganAtMs),
      endTime: millisToHrTime(epochMs + beganAtMs + tookMs),
      duration: millisToHrTime(tookMs),
      ended: true,
      status: { code: hasFailed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
      attributes: Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)),
      links: [],
      events: [],
      resource: this.#resource,
      instrumentationScope: this.#scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }
}

interface ExportListener {
  /** Out of the queue. */
  taken(count: number): void;
  exported(count: number): void;
  lost(count: number): void;
}

/** Counts what arrives and what does not, and says so once when that changes. */
class CountingExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #log: Logger;
  readonly #listener: ExportListener;
  #isFailing = false;

  constructor(exporter: SpanExporter, log: Logger, listener: ExportListener) {
    this.#exporter = exporter;
    this.#log = log;
    this.#listener = listener;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#listener.taken(spans.length);
    this.#exporter.export(spans, (result) => {
      const hasFailed = result.code !== ExportResultCode.SUCCESS;
      if (hasFailed) this.#listener.lost(spans.length);
      else this.#listener.exported(spans.length);
      if (hasFailed !== this.#isFailing) this.#say(hasFailed, result.error);
      done(result);
    });
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #say(hasFailed: boolean, error: Error | undefined): void {
    this.#isFailing = hasFailed;
    const cause = error?.message.slice(0, CAUSE_CHARACTERS_MAX);
    if (hasFailed) this.#log.warn({ cause }, 'the collector takes no traces; they are lost');
    else this.#log.info('the collector takes traces again');
  }
}

/** What the variables say goes before what is known here. */
function resourceOf(role: string, version: string): Resource {
  const own = resourceFromAttributes({
    'service.name': `sluice-${role}`,
    'service.version': version,
    'service.instance.id': `${hostname()}:${process.pid}`,
    'sluice.role': role,
  });
  const detectors = [resourceAttributesEnvDetector, serviceNameEnvDetector];
  return defaultResource().merge(own).merge(detectResources({ detectors }));
}

function countOf(text: string | undefined): number | undefined {
  const count = Number(text || Number.NaN);
  return Number.isSafeInteger(count) && count > 0 ? count : undefined;
}
