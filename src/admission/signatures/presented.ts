/** The signatures that a request brings, read from its headers within narrow bounds. Pure. */
import { type InnerList, isInnerList, parseDictionary } from 'structured-headers';
import { SIGNING_KEY_ID } from './signing-key.ts';

/** One that names a key of the form that ours have. */
export interface PresentedSignature {
  readonly keyId: string;
  /** Components and parameters, as they were signed. */
  readonly covered: InnerList;
  readonly signature: Buffer;
}

/** `malformed`: no structured fields, or too long to be looked at. */
export type Presented = readonly PresentedSignature[] | 'malformed';

const INPUT_LENGTH_MAX = 4_096;
const SIGNATURE_LENGTH_MAX = 2_048;
const COMPONENTS_MAX = 32;
/** A caller who is in the middle of a change may sign with the old key and with the new one. */
const TRIED_MAX = 2;

/**
 * At most two. Signatures of others, such as proxies on the way, are passed over: their keys have other names.
 * @param input header Signature-Input
 */
export function presentedSignatures(input: string, signature: string | undefined): Presented {
  if (input.length > INPUT_LENGTH_MAX || (signature ?? '').length > SIGNATURE_LENGTH_MAX) return 'malformed';
  try {
    const signatures = parseDictionary(signature ?? '');
    const ours: PresentedSignature[] = [];
    for (const [label, covered] of parseDictionary(input)) {
      const [bytes] = signatures.get(label) ?? [];
      if (!isInnerList(covered) || !(bytes instanceof ArrayBuffer)) continue;
      const keyId = covered[1].get('keyid');
      if (typeof keyId !== 'string' || !SIGNING_KEY_ID.test(keyId)) continue;
      if (covered[0].length > COMPONENTS_MAX) return 'malformed';
      ours.push({ keyId, covered, signature: Buffer.from(bytes) });
      if (ours.length === TRIED_MAX) break;
    }
    return ours;
  } catch {
    return 'malformed';
  }
}
