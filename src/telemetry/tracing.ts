/** What a process knows of its tracing; `begin-tracing.ts` says whether there is any. */
import { Counter, type Registry } from 'prom-client';
import type { Tracer } from '../core/call-trace.ts';
import type { EndedJobRun } from './call-spans.ts';
import type { Logger } from './log.ts';
import type { EndedCall } from './metrics.ts';

export interface TracingParts {
  readonly role: 'gateway' | 'worker';
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
}

export interface Tracing extends Tracer {
  /** Makes the spans of those calls that are sampled. */
  calls(ended: readonly EndedCall[]): void;
  run(ended: EndedJobRun): void;
  /** What has become of spans, since the beginning. */
  readonly spans: Readonly<Record<'exported' | 'lost', number>>;
  /** Sends what is left. Settles within `limitMs`, whatever the collector does. */
  stop(limitMs: number): Promise<void>;
}

/** Do the traces arrive? */
export function traceMetrics(registry: Registry, tracing: Pick<Tracing, 'spans'>): void {
  new Counter({
    name: 'sluice_trace_spans_total',
    help: 'Spans that the collector has taken, and spans that were given up.',
    labelNames: ['outcome'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [outcome, sum] of Object.entries(tracing.spans)) this.inc({ outcome }, sum);
    },
  });
}
