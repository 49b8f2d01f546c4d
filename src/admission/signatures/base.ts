/** The text that is signed (RFC 9421, section 2.5). Pure. */
import { type InnerList, serializeInnerList, serializeItem } from 'structured-headers';
import { componentValue, type SignedMessage } from './message.ts';

export type SignatureBase =
  | { readonly ok: true; readonly text: string }
  /** Name of the component that the message does not have, or that stands there twice. */
  | { readonly ok: false; readonly component: string };

/** @param covered what a signature covers, with its parameters, as its Signature-Input has it */
export function signatureBase(message: SignedMessage, covered: InnerList): SignatureBase {
  const seen = new Set<string>();
  let text = '';
  for (const component of covered[0]) {
    const [name, parameters] = component;
    const identifier = serializeItem(component);
    const isNew = !seen.has(identifier);
    seen.add(identifier);
    const value = typeof name === 'string' && isNew ? componentValue(message, name, parameters) : undefined;
    if (value === undefined) return { ok: false, component: identifier };
    text += `${identifier}: ${value}\n`;
  }
  return { ok: true, text: `${text}"@signature-params": ${serializeInnerList(covered)}` };
}
