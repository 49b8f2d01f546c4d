/** Which traces are kept, by OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG. */
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import type { TraceParent } from '../core/trace.ts';

/** @param parent undefined: the trace begins here */
export type Sampler = (traceId: string, parent: TraceParent | undefined) => boolean;

/** @param warn told what of the variables is not understood; the usual takes its place */
export function samplerOf(env: NodeJS.ProcessEnv, warn: (fault: string) => void): Sampler {
  const name = env.OTEL_TRACES_SAMPLER || 'parentbased_always_on';
  const root = roots.get(name.replace(/^parentbased_/, ''));
  if (!root) {
    warn(
      `OTEL_TRACES_SAMPLER: must be one of ${[...roots.keys()].join(', ')}, or parentbased_ and one of them`,
    );
    return samplerOf({}, warn);
  }
  const decide = root(env.OTEL_TRACES_SAMPLER_ARG, warn);
  if (!name.startsWith('parentbased_')) return decide;
  return (traceId, parent) => parent?.isSampled ?? decide(traceId);
}

type Root = (argument: string | undefined, warn: (fault: string) => void) => (traceId: string) => boolean;

const roots: ReadonlyMap<string, Root> = new Map<string, Root>([
  ['always_on', () => () => true],
  ['always_off', () => () => false],
  ['traceidratio', ratioRoot],
]);

function ratioRoot(
  argument: string | undefined,
  warn: (fault: string) => void,
): (traceId: string) => boolean {
  const ratio = Number(argument || 1);
  const isRatio = ratio >= 0 && ratio <= 1;
  if (!isRatio) warn('OTEL_TRACES_SAMPLER_ARG: must be from 0 to 1');
  const sampler = new TraceIdRatioBasedSampler(isRatio ? ratio : 1);
  return (traceId) => {
    const { decision } = sampler.shouldSample(ROOT_CONTEXT, traceId);
    return decision === SamplingDecision.RECORD_AND_SAMPLED;
  };
}
