/** How a caller is turned away. Whoever guesses learns nothing: one message, whatever was wrong with the key. */
import { type Refusal, refusal } from '../../core/errors.ts';

const challenge = { 'WWW-Authenticate': 'Bearer' };

/** @param reason for the log: what was wrong, and at most the public id of the key */
export function invalidKey(reason: string): Refusal {
  return refusal('invalid_api_key', 'Incorrect API key provided.', { reason, headers: challenge });
}

export const missingKey: Refusal = refusal(
  'invalid_api_key',
  'No API key provided. Send it in the header Authorization: Bearer YOUR_KEY.',
  { reason: 'missing', headers: challenge },
);

/**
 * Says nothing of the key itself: it was not looked at.
 * @param waitMs until the address may have unknown keys looked up again
 */
export function tooManyFailedKeys(waitMs: number): Refusal {
  return refusal(
    'too_many_failed_keys',
    'The API key was not checked: too many unknown keys came from your address. Try again later.',
    { headers: { 'Retry-After': String(Math.max(1, Math.ceil(waitMs / 1_000))) } },
  );
}

/** @param reason for the log */
export function keyCannotBeChecked(reason: string): Refusal {
  return refusal('store_unavailable', 'The API key cannot be checked at the moment. Try again.', {
    reason,
    headers: { 'Retry-After': '1' },
  });
}
