import { refusal } from '../core/errors.ts';

export const idempotencyKeyPattern = /^[\x21-\x7e]{1,255}$/;

/** Undefined: there is none. */
export function idempotencyKeyOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): string | 'bad' | undefined {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  return typeof key === 'string' && idempotencyKeyPattern.test(key) ? key : 'bad';
}

export const badKey = refusal(
  'invalid_parameter',
  "'Idempotency-Key' must be 1 to 255 visible ASCII characters.",
  { param: 'Idempotency-Key' },
);
