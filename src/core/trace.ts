/** The headers `traceparent` and `tracestate` of W3C Trace Context, as they come from strangers and as they go out. */

/** What the one before us in a trace has said. */
export interface TraceParent {
  /** 32 hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** 16 hexadecimal digits, not all zero. */
  readonly spanId: string;
  readonly isSampled: boolean;
  /** Of several vendors, at most 512 characters; passed on, and never looked at. */
  readonly state: string | undefined;
}

const PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
/** A later version may append to these 55 characters. */
const PARENT_CHARACTERS_MAX = 128;
const PARENT_CHARACTERS = 55;
const NOTHING = /^0+$/;

/** Every receiver has to take so many. */
const STATE_CHARACTERS_MAX = 512;
const STATE_MEMBERS_MAX = 32;
const STATE_MEMBER =
  /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** Undefined: there is none, or none that the standard allows, so that the trace begins here. */
export function parseTraceParent(parent: unknown, state: unknown): TraceParent | undefined {
  if (typeof parent !== 'string' || parent.length > PARENT_CHARACTERS_MAX) return undefined;
  const [, version, traceId, spanId, flags] = PARENT.exec(parent) ?? [];
  if (!traceId || !spanId || !flags || version === 'ff') return undefined;
  if (version === '00' && parent.length !== PARENT_CHARACTERS) return undefined;
  if (NOTHING.test(traceId) || NOTHING.test(spanId)) return undefined;
  const isSampled = (Number.parseInt(flags, 16) & 1) === 1;
  return { traceId, spanId, isSampled, state: parseState(state) };
}

/** Undefined where a single member is not as it should be: the whole is void then, by the standard. */
function parseState(state: unknown): string | undefined {
  if (typeof state !== 'string' || state.length > STATE_CHARACTERS_MAX) return undefined;
  const members = state.split(',').map((member) => member.trim());
  const filled = members.filter((member) => member !== '');
  if (filled.length === 0 || filled.length > STATE_MEMBERS_MAX) return undefined;
  return filled.every((member) => STATE_MEMBER.test(member)) ? filled.join(',') : undefined;
}

/** As a header. */
export function formatTraceParent({ traceId, spanId, isSampled }: Omit<TraceParent, 'state'>): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}
