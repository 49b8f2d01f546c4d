/** What a signature has to cover, and in which time it counts. Pure. */
import type { Parameters } from 'structured-headers';
import { signingAlgorithms } from '../../redis/signing-key-records.ts';
import type { SignedMessage } from './message.ts';
import type { PresentedSignature } from './presented.ts';

export interface SignatureTimes {
  readonly maxAgeMs: number;
  readonly toleranceMs: number;
}

const NONCE_LENGTH_MIN = 16;
const NONCE_LENGTH_MAX = 128;

/** The first fault, for the log. */
export function parameterFault(
  parameters: Parameters,
  nowMs: number,
  { maxAgeMs, toleranceMs }: SignatureTimes,
): string | undefined {
  const created = parameters.get('created');
  if (typeof created !== 'number' || !Number.isInteger(created)) return 'created is missing';
  const ageMs = nowMs - created * 1_000;
  if (ageMs > maxAgeMs + toleranceMs) return 'is too old';
  if (ageMs < -toleranceMs) return 'is of the future';
  const expires = parameters.get('expires');
  if (expires !== undefined) {
    if (typeof expires !== 'number') return 'expires is no time';
    if (expires * 1_000 + toleranceMs < nowMs) return 'has expired';
  }
  const nonce = parameters.get('nonce');
  if (typeof nonce !== 'string') return 'nonce is missing';
  if (nonce.length < NONCE_LENGTH_MIN || nonce.length > NONCE_LENGTH_MAX) return 'nonce is too short or long';
  const algorithm = parameters.get('alg');
  const isKnown = algorithm === undefined || signingAlgorithms.some((known) => known === algorithm);
  return isKnown ? undefined : 'alg is not supported';
}

/**
 * Whoever could change what is not covered would make another request of it: method, host, path, query and body have
 * to be. `@target-uri` stands for host, path and query.
 */
export function coverageFault(
  { covered }: PresentedSignature,
  { target }: SignedMessage,
  hasBody: boolean,
): string | undefined {
  const names = new Set<unknown>();
  for (const [name, parameters] of covered[0]) if (parameters.size === 0) names.add(name);
  const wanted = ['@method'];
  if (!names.has('@target-uri')) wanted.push('@authority', ...partsOfTarget(names, target));
  if (hasBody) wanted.push('content-digest');
  const missing = wanted.find((name) => !names.has(name));
  return missing === undefined ? undefined : `does not cover ${missing}`;
}

function partsOfTarget(names: ReadonlySet<unknown>, target: string): readonly string[] {
  if (names.has('@request-target')) return [];
  return target.includes('?') ? ['@path', '@query'] : ['@path'];
}
