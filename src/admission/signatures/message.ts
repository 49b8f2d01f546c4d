/** What the components of a signature stand for in a request (RFC 9421, section 2). Pure. */

/** A request as the gateway has received it. */
export interface SignedMessage {
  readonly method: string;
  readonly scheme: string;
  /** Host as its caller meant it, in lower case, without the usual port. */
  readonly authority: string;
  /** Path and query as they came. */
  readonly target: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** Undefined: the message does not have it, or it is of a kind that is not supported. */
export function componentValue(
  message: SignedMessage,
  name: string,
  parameters: ReadonlyMap<string, unknown>,
): string | undefined {
  if (name === '@query-param') return queryParameter(message.target, parameters);
  // Such as sf, bs, key, req and tr: other ways to read a header, which nobody needs in requests to us.
  if (parameters.size > 0) return undefined;
  return name.startsWith('@') ? derived(message, name) : headerValue(message.rawHeaders, name);
}

function derived({ method, scheme, authority, target }: SignedMessage, name: string): string | undefined {
  const queryAt = target.indexOf('?');
  switch (name) {
    case '@method':
      return method;
    case '@authority':
      return authority;
    case '@scheme':
      return scheme;
    case '@target-uri':
      return `${scheme}://${authority}${target}`;
    case '@request-target':
      return target;
    case '@path':
      return queryAt < 0 ? target : target.slice(0, queryAt);
    case '@query':
      return queryAt < 0 ? '?' : target.slice(queryAt);
    default:
      return undefined;
  }
}

/** Several headers of that name are one list. */
function headerValue(rawHeaders: readonly string[], name: string): string | undefined {
  let value: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== name) continue;
    const one = (rawHeaders[at + 1] as string).trim();
    value = value === undefined ? one : `${value}, ${one}`;
  }
  return value;
}

/** A parameter that stands there more than once cannot be signed so. */
function queryParameter(target: string, parameters: ReadonlyMap<string, unknown>): string | undefined {
  const name = parameters.get('name');
  const queryAt = target.indexOf('?');
  if (typeof name !== 'string' || parameters.size > 1 || queryAt < 0) return undefined;
  const query = new URLSearchParams(target.slice(queryAt + 1));
  const values = [...query].filter(([key]) => formEncoded(key) === name);
  const [only] = values;
  return only && values.length === 1 ? formEncoded(only[1]) : undefined;
}

/** As forms of web pages are encoded, but for spaces, which are %20. */
function formEncoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Host as it is compared and signed: in lower case, without the port that the scheme implies. */
export function normalAuthority(host: string, scheme: string): string {
  const usual = scheme === 'https' ? ':443' : ':80';
  const authority = host.toLowerCase();
  return authority.endsWith(usual) ? authority.slice(0, -usual.length) : authority;
}
