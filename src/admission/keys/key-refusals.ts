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

/** @param reason for the log */
export function keyCannotBeChecked(reason: string): Refusal {
  return refusal('store_unavailable', 'The API key cannot be checked at the moment. Try again.', {
    reason,
    headers: { 'Retry-After': '1' },
  });
}
