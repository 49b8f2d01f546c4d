/** What a request may say in `Cache-Control` (RFC 9111, 5.2.1), as far as it matters here. */
export interface CacheWish {
  /** Neither read nor kept. */
  readonly noStore: boolean;
  /** Asked anew, and kept. */
  readonly noCache: boolean;
  /** No answer that is older; undefined: nothing was said. */
  readonly maxAgeSeconds: number | undefined;
}

const NO_WISH: CacheWish = { noStore: false, noCache: false, maxAgeSeconds: undefined };
const SECONDS = /^"?(\d{1,10})"?$/;

/** Directives that are unknown, or not as they should be, count as absent. */
export function readCacheControl(header: string | undefined): CacheWish {
  if (header === undefined) return NO_WISH;
  let noStore = false;
  let noCache = false;
  let maxAgeSeconds: number | undefined;
  for (const directive of header.toLowerCase().split(',')) {
    const [name = '', value = ''] = directive.split('=', 2).map((part) => part.trim());
    if (name === 'no-store') noStore = true;
    if (name === 'no-cache') noCache = true;
    const seconds = name === 'max-age' ? SECONDS.exec(value)?.[1] : undefined;
    if (seconds !== undefined) maxAgeSeconds = Math.min(maxAgeSeconds ?? Infinity, Number(seconds));
  }
  return { noStore, noCache: noCache || maxAgeSeconds === 0, maxAgeSeconds };
}
