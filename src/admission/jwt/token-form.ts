/** What can be seen of a token before it is checked. Nothing of it is believed. */

/** Identity providers stay far below; Node takes 16 KB of headers in all. */
export const TOKEN_BYTES_MAX = 8_192;

const SCHEME = 'Bearer ';
const tokenPattern = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** What may be a token, of a header `Authorization`: keys that are made here hold no dot. */
export function presentedToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.indexOf('.') < 0) return undefined;
  if (authorization.slice(0, SCHEME.length).toLowerCase() !== 'bearer ') return undefined;
  return authorization.slice(SCHEME.length).trim();
}

/** Who says that he has issued it. Undefined: it is no token. `issuer` undefined: it does not say. */
export function claimedIssuer(token: string): { readonly issuer: string | undefined } | undefined {
  if (!tokenPattern.test(token)) return undefined;
  const [header = '', payload = ''] = token.split('.');
  if (jsonOf(header) === undefined) return undefined;
  const issuer = jsonOf(payload)?.iss;
  return { issuer: typeof issuer === 'string' ? issuer : undefined };
}

function jsonOf(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
