/** Fetches one image from a host that the operator listed, within bounds that all images of a request share. */
import { once } from 'node:events';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import got from 'got';
import { createPublicLookup, insideAddressCode } from './public-address.ts';

const REDIRECTS_MAX = 3;

interface ListedHost {
  readonly hostname: string;
  /** Undefined: the usual port of the scheme. */
  readonly port: string | undefined;
}

export type HostList = readonly ListedHost[];

/** @param entries `images.example.com`, `10.0.0.9:9000`, `[fd00::9]:9000`; compared as a URL would write them. */
export function parseHosts(entries: readonly string[]): HostList {
  return entries.flatMap((entry) => {
    const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [];
    const address = `http://${host}`;
    return URL.canParse(address) ? [{ hostname: new URL(address).hostname, port }] : [];
  });
}

export function isListed(url: URL, hosts: HostList): boolean {
  const usualPort = url.protocol === 'https:' ? '443' : '80';
  return hosts.some(
    ({ hostname, port }) => hostname === url.hostname && (port ?? usualPort) === (url.port || usualPort),
  );
}

/** Why this address is not fetched, as a sentence for the caller; undefined if it may be. */
export function objectionTo(url: URL, hosts: HostList): string | undefined {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return `An address must be data:, https: or http:, not ${url.protocol.slice(0, 20)}.`;
  }
  if (url.username || url.password) return 'An address must not hold a user name or password.';
  if (isListed(url, hosts)) return undefined;
  return `The host ${url.host.slice(0, 255)} is not on the list of this gateway. Send the image as a data: URL.`;
}

export interface FetchBounds {
  readonly hosts: HostList;
  /** Counts down over all images of the request. */
  readonly budget: { bytes: number };
  /** Ends at the deadline, when the caller leaves, or when another image of the request has failed. */
  readonly signal: AbortSignal;
  readonly resolve: LookupFunction | undefined;
}

export type Fetched =
  | { readonly ok: true; readonly dataUrl: string }
  | { readonly ok: false; readonly message: string; readonly reason: string };

/** Follows up to three redirects, each to a listed host again. Never throws. */
export async function fetchImage(address: URL, bounds: FetchBounds): Promise<Fetched> {
  let url = address;
  try {
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
      const objection = objectionTo(url, bounds.hosts);
      if (objection) return failed(url, objection, 'not listed');
      const answer = await get(url, bounds);
      if (!(answer instanceof URL)) return answer;
      url = answer;
    }
    return failed(url, 'The address of the image redirects too often.', 'too many redirects');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === insideAddressCode) return failed(url, 'The host of the image has no public address.', code);
    if (bounds.signal.aborted) return failed(url, 'The image did not come in time.', 'time-out');
    return failed(url, 'The image could not be fetched.', code);
  }
}

/** One hop. The answer's body is read only if it is an image that fits. */
async function get(url: URL, { budget, signal, resolve }: FetchBounds): Promise<Fetched | URL> {
  const named = isIP(url.hostname.replace(/^\[|\]$/g, '')) === 0 && url.hostname !== 'localhost';
  const stream = got.stream(url, {
    // Agents of its own: a pooled connection would have passed another look-up.
    agent: { http: new HttpAgent({ keepAlive: false }), https: new HttpsAgent({ keepAlive: false }) },
    // An IP literal or localhost on the list is an inside host that the operator named on purpose.
    dnsLookup: named ? createPublicLookup(resolve) : resolve,
    followRedirect: false,
    throwHttpErrors: false,
    // A small answer must not unfold into a large one.
    decompress: false,
    retry: { limit: 0 },
    signal,
    headers: { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'sluice' },
  });
  // It may fail once more after it was given up.
  stream.on('error', () => {});
  try {
    const [response] = (await once(stream, 'response')) as [{ statusCode: number; headers: Headers }];
    const { statusCode, headers } = response;
    if (statusCode >= 300 && statusCode < 400) return redirected(url, headers.location);
    const objection = objectionToAnswer(statusCode, headers, budget.bytes);
    if (objection) return failed(url, objection, `status ${statusCode}`);
    return await read(stream, url, mediaType(headers), budget);
  } finally {
    stream.destroy();
  }
}

type Headers = Readonly<Record<string, string | undefined>>;

function redirected(url: URL, location: string | undefined): Fetched | URL {
  if (location !== undefined && URL.canParse(location, url)) return new URL(location, url);
  return failed(url, 'The address of the image redirects nowhere.', 'redirect without location');
}

function objectionToAnswer(statusCode: number, headers: Headers, bytesMax: number): string | undefined {
  if (statusCode !== 200) return `The host of the image answered ${statusCode}.`;
  if (!/^image\/[a-z0-9.+-]{1,64}$/.test(mediaType(headers))) return 'The address does not lead to an image.';
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') return 'The image comes compressed.';
  return Number(headers['content-length'] ?? 0) > bytesMax ? tooLarge : undefined;
}

const tooLarge = 'The images of the request are too large.';

function mediaType(headers: Headers): string {
  return (headers['content-type'] ?? '').split(';', 1).join('').trim().toLowerCase();
}

async function read(
  stream: AsyncIterable<Buffer>,
  url: URL,
  type: string,
  budget: { bytes: number },
): Promise<Fetched> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    budget.bytes -= chunk.length;
    if (budget.bytes < 0) return failed(url, tooLarge, 'over the limit');
    chunks.push(chunk);
  }
  return { ok: true, dataUrl: `data:${type};base64,${Buffer.concat(chunks).toString('base64')}` };
}

/** The reason is for the log: it names the host alone, because a path or query may hold a signature. */
function failed(url: URL, message: string, reason: string): Fetched {
  return { ok: false, message, reason: `${url.host.slice(0, 255)}: ${reason}` };
}
