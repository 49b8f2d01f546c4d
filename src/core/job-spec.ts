/**
 * A request as it lies in store until it runs: its body, and in front of it all else that a worker has to know.
 *
 *     4 bytes: length of the JSON, big-endian │ JSON of `JobSpec` │ body
 *
 * Another release may have written it: what it says beside these fields is ignored, and what lacks one that is needed
 * is not run.
 */
import type { Charge } from './ticket.ts';
import type { TokenSubject } from './token-subject.ts';

export interface JobSpec {
  /** A pass-through route has neither model nor tokens; all its `model` says is its pattern. */
  readonly kind: 'inference' | 'pass_through';
  readonly tenant: string;
  readonly key_id: string;
  /** Of the request that made the job. */
  readonly request_id: string;
  readonly method: string;
  /** Of the public listener: the endpoint, or the pattern of a pass-through route. */
  readonly path: string;
  /** As it came, without its `?`; empty: none. */
  readonly query: string;
  /** Of the body; null: there is none, or JSON. */
  readonly content_type: string | null;
  /** Of a pass-through call: what its caller takes; null: he does not say. */
  readonly accept: string | null;
  /** Public name, or the pattern of a pass-through route. */
  readonly model: string;
  /** What the client wrote, and the answer says; null: it named none. */
  readonly requested_model: string | null;
  /** The one that was chosen, or asked for; null: the model has none. */
  readonly version: string | null;
  /** Where the job waits: the name of its pool. */
  readonly line: string;
  readonly streamed: boolean;
  /** The gateway asks for the usage chunk of the stream, and takes it out again. */
  readonly asks_for_usage: boolean;
  /** Behind each choice of the answer, with its variables filled in. */
  readonly suffix: string | null;
  /** As admission writes it down (admission/jobs/stored-estimate.ts); null: none. */
  readonly estimate: unknown;
  /** What its ticket has reserved. */
  readonly charge: Charge;
  /** Of the beginning of its prompt or its conversation; null: any server will do. */
  readonly affinity: number | null;
  /** Wall clock. */
  readonly created_at_ms: number;
  /** Where the request stands in a trace, as W3C writes it; absent: in none. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** Of whoever came in with a token: no record in Redis says what he may do; absent: he had a key. */
  readonly subject?: TokenSubject | undefined;
}

/** Some hundred bytes are usual; a prompt with thousands of images has an estimate for each. */
export const SPEC_BYTES_MAX = 1_048_576;

const LENGTH_BYTES = 4;
const TEXT_MAX = 65_536;

/** Undefined: what stands in front of the body would be too large to be read again. */
export function encodeJob(spec: JobSpec, body: Buffer): Buffer | undefined {
  const json = Buffer.from(JSON.stringify(spec));
  if (json.length > SPEC_BYTES_MAX || !isSpec(spec)) return undefined;
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json, body]);
}

/** Undefined: this is no job, or one that this release cannot run. The body is a view into the same memory. */
export function decodeJob(bytes: Buffer): { readonly spec: JobSpec; readonly body: Buffer } | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const bodyAt = LENGTH_BYTES + bytes.readUInt32BE(0);
  if (bodyAt > Math.min(bytes.length, LENGTH_BYTES + SPEC_BYTES_MAX)) return undefined;
  const spec = parsed(bytes.toString('utf8', LENGTH_BYTES, bodyAt));
  return isSpec(spec) ? { spec, body: bytes.subarray(bodyAt) } : undefined;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value.length <= TEXT_MAX;
const isTextOrNull: Check = (value) => value === null || isText(value);
const isFlag: Check = (value) => typeof value === 'boolean';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isNumberOrNull: Check = (value) => value === null || Number.isFinite(value);

const chargeFields: Readonly<Record<keyof Charge, Check>> = {
  requests: isCount,
  inputTokens: isCount,
  outputTokens: isCount,
  images: isCount,
  gpuMs: isCount,
  costNano: isCount,
};

/** Whoever reads what may be absent takes nothing else for it than what he understands. */
type Needed = Exclude<keyof JobSpec, 'traceparent' | 'tracestate' | 'subject'>;

const specFields: Readonly<Record<Needed, Check>> = {
  kind: (value) => value === 'inference' || value === 'pass_through',
  tenant: isText,
  key_id: isText,
  request_id: isText,
  method: isText,
  path: isText,
  query: isText,
  content_type: isTextOrNull,
  accept: isTextOrNull,
  model: isText,
  requested_model: isTextOrNull,
  version: isTextOrNull,
  line: isText,
  streamed: isFlag,
  asks_for_usage: isFlag,
  suffix: isTextOrNull,
  estimate: (value) => typeof value === 'object',
  charge: (value) => hasFields(value, chargeFields),
  affinity: isNumberOrNull,
  created_at_ms: isCount,
};

function isSpec(value: unknown): value is JobSpec {
  return hasFields(value, specFields);
}

function hasFields(value: unknown, fields: Readonly<Record<string, Check>>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const entries = value as Record<string, unknown>;
  return Object.entries(fields).every(
    ([name, check]) => Object.hasOwn(entries, name) && check(entries[name]),
  );
}
