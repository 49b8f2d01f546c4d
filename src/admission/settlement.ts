/** What a call has really cost, and who pays when it went wrong. */
import type { Call, CallEnd } from '../core/call.ts';
import { type Billable, costOf, type Prices } from '../core/money.ts';
import { type Charge, noCharge, type Settlement } from '../core/ticket.ts';
import type { Usage } from '../core/usage.ts';
import type { Estimate, Estimator } from './estimate/estimator.ts';

/** What was known when the call was admitted. */
export interface Reservation {
  /** Public name, or the pattern of a pass-through route. */
  readonly model: string;
  readonly prices: Prices;
  /** Undefined for a pass-through route: its bodies are none of our business. */
  readonly estimate: Estimate | undefined;
}

export function chargeOf({ model, prices, estimate }: Reservation, estimator: Estimator): Charge {
  const gpuMs = estimator.gpuMs(model);
  const inputTokens = estimate?.inputTokens ?? 0;
  const outputTokens = estimate?.outputTokens ?? 0;
  const billable = {
    requests: 1,
    inputTokens,
    cachedTokens: 0,
    outputTokens,
    imagePixels: pixelsOf(estimate),
    gpuMs,
  };
  return {
    requests: 1,
    inputTokens,
    outputTokens,
    images: billable.imagePixels.length,
    gpuMs,
    costNano: costOf(prices, billable),
  };
}

/**
 * A call that was answered from a cache, or from the upstream call of another one, costs itself and nothing else.
 *
 * Undefined: the call never went to a GPU server, so its ticket is as if it had never been. One that the server
 * failed (5xx, no connection, a time-out before the first byte) costs nothing and gives its quota back; one that
 * it refused (4xx) costs a call; one that was broken off costs what had come of it.
 */
export function settlementOf(
  call: Call,
  how: CallEnd,
  reservation: Reservation,
  estimator: Estimator,
  reserved: Charge,
): Settlement | undefined {
  if (call.attempts === 0 && call.answeredFrom === 'upstream') return undefined;
  const hasLeft = call.unheard || (how === 'client_gone' && !call.broken);
  const status = hasLeft ? CLIENT_GONE : call.status;
  const cost = costOfCall(call, how, reservation, estimator, reserved);
  return {
    ...cost,
    status,
    route: call.route,
    requestId: call.requestId,
    durationMs: Math.round((call.upstreamEndedAtMs || performance.now()) - call.startedAtMs),
  };
}

export function settlementAsReserved(call: Call, reserved: Charge): Settlement {
  return {
    spent: reserved,
    cachedTokens: 0,
    status: call.status,
    route: call.route,
    requestId: call.requestId,
    durationMs: Math.round(performance.now() - call.startedAtMs),
  };
}

/** As nginx logs it: the caller closed the connection. */
const CLIENT_GONE = 499;

type Cost = Pick<Settlement, 'spent' | 'cachedTokens'>;

function costOfCall(
  call: Call,
  how: CallEnd,
  reservation: Reservation,
  estimator: Estimator,
  reserved: Charge,
): Cost {
  const { model, prices, estimate } = reservation;
  const hasFailed = call.refusal !== undefined && !call.broken;
  if (hasFailed && call.blame() !== 'client') return { spent: noCharge, cachedTokens: 0 };
  if (call.answeredFrom !== 'upstream') return { spent: { ...noCharge, requests: 1 }, cachedTokens: 0 };
  const gpuMs = Math.round(call.gpuMs);
  const wasRefused = hasFailed || call.status >= 400;
  const usage = estimate && !wasRefused ? usageOf(call, how, model, estimate, estimator, reserved) : noUsage;
  const billable: Billable = {
    ...usage,
    requests: 1,
    imagePixels: wasRefused ? [] : pixelsOf(estimate),
    gpuMs: wasRefused ? 0 : gpuMs,
  };
  return {
    spent: {
      requests: 1,
      inputTokens: usage.inputTokens,
      outputTokens: usage.outputTokens,
      images: billable.imagePixels.length,
      gpuMs: billable.gpuMs,
      costNano: costOf(prices, billable),
    },
    cachedTokens: usage.cachedTokens,
  };
}

const noUsage: Usage = { inputTokens: 0, outputTokens: 0, cachedTokens: 0 };

function usageOf(
  call: Call,
  how: CallEnd,
  model: string,
  estimate: Estimate,
  estimator: Estimator,
  reserved: Charge,
): Usage {
  const answerBytes = call.bytesOut - call.addedBytes;
  const seen = {
    streamed: call.streamed,
    answerBytes,
    elapsedMs: (call.upstreamEndedAtMs || performance.now()) - call.forwardedAtMs,
  };
  const aborted = how !== 'finished';
  if (!call.usage) {
    return estimator.withoutUsage(model, { estimate, aborted, ...seen }, reserved.outputTokens);
  }
  if (!aborted) {
    const { inputTokens, outputTokens } = call.usage;
    estimator.learn(model, estimate, { inputTokens, outputTokens, gpuMs: call.gpuMs, ...seen });
  }
  return call.streamed ? estimator.atLeastStreamed(call.usage, answerBytes, model, estimate) : call.usage;
}

function pixelsOf(estimate: Estimate | undefined): readonly number[] {
  return estimate?.images.map(({ pixels }) => pixels ?? Number.POSITIVE_INFINITY) ?? [];
}
