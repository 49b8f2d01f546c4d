/** Requests that are signed: the way in for those who have no bearer. */
import type { FastifyRequest } from 'fastify';
import { normalAuthority, type SignedMessage } from '../admission/signatures/message.ts';
import type { SignatureVerifier, SignedVerdict } from '../admission/signatures/verifier.ts';
import type { Verdict } from '../admission/verdict.ts';
import type { OtherWay } from './authenticate.ts';

interface SignedRequestsParts {
  readonly verifier: Pick<SignatureVerifier, 'verify' | 'signerAnew'>;
  /** Hosts that a request may be meant for; none: the one in its Host header. */
  readonly publicHosts: readonly string[];
}

export function signedRequests({ verifier, publicHosts }: SignedRequestsParts): OtherWay {
  return {
    identify(request, nowMs) {
      const input = request.headers['signature-input'];
      if (input === undefined) return undefined;
      const verified = verifier.verify(signedRequest(request, String(input), publicHosts), nowMs);
      if (verified instanceof Promise) return verified.then((verdict) => accept(request, verdict));
      return verified && accept(request, verified);
    },
    identifyAnew({ call }, nowMs) {
      return verifier.signerAnew(call.signature?.signer ?? '', call.clientAddress, nowMs);
    },
  };
}

function accept({ call }: FastifyRequest, verdict: SignedVerdict): Verdict {
  if (verdict.ok) call.signature = verdict.signature;
  return verdict;
}

function signedRequest(request: FastifyRequest, input: string, publicHosts: readonly string[]) {
  const { headers, call, protocol } = request;
  const [host, ...others] = hostsMeant(headers.host ?? '', protocol, publicHosts);
  const message = (authority: string): SignedMessage => ({
    method: request.method,
    scheme: protocol,
    authority,
    target: request.url,
    rawHeaders: request.raw.rawHeaders,
  });
  return {
    input,
    signature: textOf(headers.signature),
    contentDigest: textOf(headers['content-digest']),
    hasBody: headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0,
    address: call.clientAddress,
    messages: [message(host), ...others.map(message)] as const,
  };
}

/**
 * A proxy may have put its own name for the gateway into the Host header, so all of the configured hosts are tried where
 * it names none of them. Where none are configured, whoever sends the request says which host it was meant for.
 */
function hostsMeant(
  host: string,
  protocol: string,
  publicHosts: readonly string[],
): readonly [string, ...string[]] {
  const named = normalAuthority(host, protocol);
  const [first, ...others] = publicHosts;
  return first === undefined || publicHosts.includes(named) ? [named] : [first, ...others];
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}
