/**
 * Sends messages to addresses that tenants chose. Only https to public addresses; what the operator lists is trusted,
 * inside or not, encrypted or not. The check sits in the look-up of the connection itself (public-address.ts).
 */
import { once } from 'node:events';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import got from 'got';
import { type HostList, isListed } from './media-fetch.ts';
import { createPublicAddressCheck, createPublicLookup, insideAddressCode } from './public-address.ts';

const RETRY_AFTER_MS_MAX = 86_400_000;
const LOOKUP_MS = 5_000;

export interface Reach {
  /** Hosts that may be inside, and be spoken to without encryption. */
  readonly hosts: HostList;
  /** Default: the system's. */
  readonly resolve?: LookupFunction | undefined;
}

export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** From the look-up of the name to the status of the answer. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export type Reception =
  /** `retryAfterMs`: as the receiver asks, a day at most. */
  | { readonly ok: true; readonly status: number; readonly retryAfterMs: number | undefined }
  /** `cause`: from a closed set, for operators. */
  | { readonly ok: false; readonly cause: FailureOfReceiver };

export type FailureOfReceiver = 'refused_address' | 'no_such_host' | 'timeout' | 'tls' | 'no_connection';

/** Why nothing is sent to this address, as a sentence; undefined if it may be. Says nothing of what the name leads to. */
export function objectionToReceiver(url: URL, hosts: HostList): string | undefined {
  if (url.username || url.password) return 'must not hold a user name or password';
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https://';
  if (isListed(url, hosts)) return undefined;
  if (url.protocol !== 'https:') return 'must begin with https://; http is for listed hosts only';
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  const isInside = isIP(literal) !== 0 && !createPublicAddressCheck()(literal);
  return isInside ? insideText : undefined;
}

const insideText = 'must lead to public addresses; an inside host has to be listed in webhooks.allowed_hosts';

/** As above, and looks where the name leads to now. Takes five seconds at most. */
export async function lookAtReceiver(url: URL, { hosts, resolve }: Reach): Promise<string | undefined> {
  const objection = objectionToReceiver(url, hosts);
  if (objection || isListed(url, hosts) || isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0) return objection;
  const { promise, resolve: end } = Promise.withResolvers<string | undefined>();
  const timer = setTimeout(() => end('names a host that was not found in time'), LOOKUP_MS);
  createPublicLookup(resolve)(url.hostname, {}, (error) => {
    if (!error) end(undefined);
    else end(error.code === insideAddressCode ? insideText : 'names a host that has no address');
  });
  const found = await promise;
  clearTimeout(timer);
  return found;
}

/** One POST, without redirects; of the answer only the status counts. Never throws. */
export async function send(url: URL, message: Message, { hosts, resolve }: Reach): Promise<Reception> {
  if (objectionToReceiver(url, hosts)) return { ok: false, cause: 'refused_address' };
  const time = AbortSignal.timeout(message.timeoutMs);
  const stream = got.stream.post(url, {
    // Agents of its own: a pooled connection would have passed another look-up.
    agent: { http: new HttpAgent({ keepAlive: false }), https: new HttpsAgent({ keepAlive: false }) },
    dnsLookup: isListed(url, hosts) ? resolve : createPublicLookup(resolve),
    followRedirect: false,
    throwHttpErrors: false,
    decompress: false,
    retry: { limit: 0 },
    signal: AbortSignal.any([message.signal, time]),
    headers: { ...message.headers, 'user-agent': 'sluice' },
    body: message.body,
  });
  // It may fail once more after it was given up.
  stream.on('error', () => undefined);
  try {
    const [{ statusCode, headers }] = (await once(stream, 'response')) as [Answer];
    return { ok: true, status: statusCode, retryAfterMs: retryAfterMs(headers['retry-after'], Date.now()) };
  } catch (error) {
    return { ok: false, cause: time.aborted ? 'timeout' : causeOf(error) };
  } finally {
    stream.destroy();
  }
}

interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

function causeOf(error: unknown): FailureOfReceiver {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === insideAddressCode) return 'refused_address';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'no_such_host';
  return /CERT|TLS|SSL|SELF_SIGNED|ALTNAME|UNABLE_TO_VERIFY/.test(code) ? 'tls' : 'no_connection';
}

/** Seconds, or a date. Undefined for what is neither, and for what is over. */
export function retryAfterMs(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return wait > 0 ? Math.min(wait, RETRY_AFTER_MS_MAX) : undefined;
}
