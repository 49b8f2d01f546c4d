/**
 * The answer to a job as it lies in store, where it came whole: what its caller would have got, and in front of it
 * what stands beside the body. An answer that came as a stream of events lies there in pieces instead, without a head.
 *
 *     4 bytes: length of the JSON, big-endian │ JSON of `JobAnswerHead` │ body
 *
 * A job that has failed has one too, if there was anybody to say why: the error's status, and our JSON of it.
 */
import type { Settlement } from './ticket.ts';

export interface JobAnswerHead {
  readonly status: number;
  /** Empty: the server has not said. */
  readonly content_type: string;
  /** Name of the server that gave it; null: none did. */
  readonly upstream: string | null;
}

/** Together with the length. */
export const ANSWER_HEAD_BYTES_MAX = 16_384;

const LENGTH_BYTES = 4;
const CONTENT_TYPE_MAX = 1_024;

export function encodeJobAnswer(head: JobAnswerHead, body: readonly Buffer[]): Buffer {
  const { status, content_type, upstream } = head;
  const json = Buffer.from(
    JSON.stringify({ status, content_type: content_type.slice(0, CONTENT_TYPE_MAX), upstream }),
  );
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json, ...body]);
}

/**
 * @param bytes its beginning suffices: `ANSWER_HEAD_BYTES_MAX`, or all where it is shorter
 * @returns undefined for what is no answer; `bodyAt`: where its body begins
 */
export function readJobAnswer(
  bytes: Buffer,
): { readonly head: JobAnswerHead; readonly bodyAt: number } | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const bodyAt = LENGTH_BYTES + bytes.readUInt32BE(0);
  if (bodyAt > Math.min(bytes.length, ANSWER_HEAD_BYTES_MAX)) return undefined;
  const { status, content_type, upstream } = Object(parsed(bytes.toString('utf8', LENGTH_BYTES, bodyAt)));
  if (!Number.isInteger(status) || typeof content_type !== 'string') return undefined;
  return { head: { status, content_type, upstream: typeof upstream === 'string' ? upstream : null }, bodyAt };
}

/** What a job has cost, as its record keeps it. Whole numbers. */
export interface JobUsage {
  readonly requests: number;
  readonly input_tokens: number;
  /** Part of the input. */
  readonly cached_tokens: number;
  readonly output_tokens: number;
  readonly images: number;
  readonly gpu_ms: number;
  readonly cost_nano: number;
  /** As in the books of the tenant. */
  readonly status: number;
  readonly duration_ms: number;
  /** Pattern of the route. */
  readonly route: string;
  readonly request_id: string;
}

export function usageOfSettlement(settlement: Settlement): JobUsage {
  const { spent, cachedTokens, status, durationMs, route, requestId } = settlement;
  return {
    requests: spent.requests,
    input_tokens: spent.inputTokens,
    cached_tokens: cachedTokens,
    output_tokens: spent.outputTokens,
    images: spent.images,
    gpu_ms: spent.gpuMs,
    cost_nano: spent.costNano,
    status,
    duration_ms: durationMs,
    route,
    request_id: requestId,
  };
}

/** @param json `usage` of a record @returns undefined where it says nothing, or another release says it otherwise */
export function readJobUsage(json: string | null): JobUsage | undefined {
  const value = Object(json === null ? undefined : parsed(json)) as Record<string, unknown>;
  const isUsage = usageCounts.every((name) => Number.isFinite(value[name]));
  const isNamed = typeof value.route === 'string' && typeof value.request_id === 'string';
  return isUsage && isNamed ? (value as unknown as JobUsage) : undefined;
}

const usageCounts = [
  ...(['requests', 'input_tokens', 'cached_tokens', 'output_tokens', 'images'] as const),
  ...(['gpu_ms', 'cost_nano', 'status', 'duration_ms'] as const),
] satisfies readonly (keyof JobUsage)[];

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
