/**
 * Small JSON documents of hosts that the operator trusts, such as the public keys of an identity provider: https, no
 * redirects, bounded in time and size. An address that a document itself names may lead to public addresses only.
 */
import { once } from 'node:events';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP } from 'node:net';
import got from 'got';
import { type HostList, isListed } from './media-fetch.ts';
import { createPublicAddressCheck, createPublicLookup } from './public-address.ts';

export type FetchedDocument =
  | { readonly ok: true; readonly value: unknown }
  /** `cause`: for the log; it names no address. */
  | { readonly ok: false; readonly cause: string };

export interface DocumentBounds {
  /** May speak plain http, and lie inside. */
  readonly hosts: HostList;
  /** The operator has written this very host down, so it may lie inside. */
  readonly isNamed: boolean;
  readonly signal: AbortSignal;
}

const BYTES_MAX = 262_144;

/** Never throws. Takes as long as the signal lets it. */
export async function fetchDocument(
  url: URL,
  { hosts, isNamed, signal }: DocumentBounds,
): Promise<FetchedDocument> {
  const isTrusted = isNamed || isListed(url, hosts);
  const objection = objectionTo(url, hosts, isTrusted);
  if (objection !== undefined) return { ok: false, cause: objection };
  const stream = got.stream(url, {
    agent: { http: new HttpAgent({ keepAlive: false }), https: new HttpsAgent({ keepAlive: false }) },
    dnsLookup: isTrusted ? undefined : createPublicLookup(),
    followRedirect: false,
    throwHttpErrors: false,
    decompress: false,
    retry: { limit: 0 },
    signal,
    headers: { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'sluice' },
  });
  // It may fail once more after it was given up.
  stream.on('error', () => undefined);
  try {
    const [{ statusCode }] = (await once(stream, 'response')) as [{ statusCode: number }];
    if (statusCode !== 200) return { ok: false, cause: `status ${statusCode}` };
    const text = await read(stream);
    return text === undefined ? { ok: false, cause: 'too large' } : parsed(text);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { ok: false, cause: signal.aborted ? 'no answer in time' : code };
  } finally {
    stream.destroy();
  }
}

function objectionTo(url: URL, hosts: HostList, isTrusted: boolean): string | undefined {
  if (url.username || url.password) return 'the address holds a user name or password';
  const isPlain = url.protocol === 'http:';
  if (url.protocol !== 'https:' && !(isPlain && isListed(url, hosts))) return 'the address is not https';
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  if (isTrusted || isIP(literal) === 0 || createPublicAddressCheck()(literal)) return undefined;
  return 'the address lies inside';
}

/** Undefined: larger than it may be. */
async function read(stream: AsyncIterable<Buffer>): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    if (bytes > BYTES_MAX) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parsed(text: string): FetchedDocument {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false, cause: 'no JSON' };
  }
}
