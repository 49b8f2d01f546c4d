import type { IncomingHttpHeaders } from 'node:http';

/** One more than a key may have: enough to see that it is too long. */
const PRESENTED_LENGTH_MAX = 257;

/**
 * The key that a request brings: `Authorization: Bearer K`, `Authorization: K`, or `x-api-key: K`. Another
 * scheme, such as a proxy's `Basic`, is passed over. Cut off when it is too long to be one; undefined if none.
 */
export function presentedKey(headers: IncomingHttpHeaders): string | undefined {
  const presented = fromAuthorization(headers.authorization) ?? headers['x-api-key'];
  return typeof presented === 'string' && presented !== ''
    ? presented.slice(0, PRESENTED_LENGTH_MAX)
    : undefined;
}

function fromAuthorization(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const space = value.indexOf(' ');
  if (space < 0) return value === '' || value.toLowerCase() === 'bearer' ? undefined : value;
  return space === 6 && value.slice(0, 6).toLowerCase() === 'bearer' ? value.slice(7).trim() : undefined;
}
