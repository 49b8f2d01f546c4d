/** What callers and servers plant, each in its own place, so that a leak names where it came from. */

/** In the bodies of requests. */
export const PROMPT = 'prompt-hunter2-8f3a91c7';
/** In the bodies of GPU servers' answers. */
export const ANSWER = 'answer-swordfish-41c09be2';
/** In headers that nobody knows, and in known ones whose value is not understood. */
export const HEADER = 'header-xyzzy-77d2e6a0';
export const IDEMPOTENCY = 'idempotency-plugh-0e93bb41';
export const QUERY = 'query-sesame-c3a5d218';
/** In names and paths that the caller has made up. */
export const NAME = 'name-rosebud-5b7fe034';
/** In a configuration file that is refused. */
export const CONFIGURED = 'configured-token-9a1184dd';
export const UPSTREAM_KEY = 'upstream-key-5d2e77b0';
export const COLLECTOR_KEY = 'collector-key-d94eac03';

export const plantedHeaders: Readonly<Record<string, string>> = {
  'x-secret': HEADER,
  cookie: `session=${HEADER}`,
  'user-agent': HEADER,
  'x-stainless-lang': HEADER,
  referer: `https://app.example.com/?token=${HEADER}`,
  'x-session-id': HEADER,
  'proxy-authorization': `Basic ${HEADER}`,
};

/** Nothing but what may be anywhere. */
export function everyForm(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [secret, bytes.toString('base64').slice(0, 20), bytes.toString('hex'), encodeURIComponent(secret)];
}
