/** The header `Prefer` of RFC 7240. What is not known here is ignored, as that wants it. */
import { HOLD_SECONDS_MAX } from '../../core/principal.ts';

export interface Preferences {
  readonly respondAsync: boolean;
  /** How long the caller likes to wait; undefined: it does not say. At most `HOLD_SECONDS_MAX`. */
  readonly waitSeconds: number | undefined;
}

const WAIT = /^wait\s*=\s*"?(\d{1,9})"?\s*(;|$)/i;
const RESPOND_ASYNC = /^respond-async\s*(;|$)/i;
const nothing: Preferences = { respondAsync: false, waitSeconds: undefined };

/** Of a preference that is named twice the first counts. */
export function preferences(header: string | string[] | undefined): Preferences {
  if (header === undefined) return nothing;
  let respondAsync = false;
  let waitSeconds: number | undefined;
  for (const one of [header].flat().join(',').split(',')) {
    const text = one.trim();
    const wait = WAIT.exec(text);
    if (wait) waitSeconds ??= Math.min(Number(wait[1]), HOLD_SECONDS_MAX);
    else if (RESPOND_ASYNC.test(text)) respondAsync = true;
  }
  return { respondAsync, waitSeconds };
}
