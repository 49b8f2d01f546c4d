/** Secrets that have to be read again are encrypted where they lie: AES-256-GCM, by a key that `SLUICE_SECRET` gives. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { derivedSecret } from './keys/key-digest.ts';

export interface SealingBox {
  /** @param context whose it is; authenticated too, so that nothing sealed can be put in another's place */
  seal(context: string, text: string): string;
  /** Undefined: sealed for another context or with another secret, or damaged. */
  open(context: string, sealed: string): string | undefined;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORM = '1:';

/** @param purpose each has an encryption key of its own */
export function sealingBox(secret: string, purpose: string): SealingBox {
  const key = derivedSecret(secret, purpose);
  return {
    seal(context, text) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
      const sealed = Buffer.concat([cipher.update(text), cipher.final()]);
      return FORM + Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
    },
    open(context, sealed) {
      const bytes = Buffer.from(sealed.slice(FORM.length), 'base64url');
      const textAt = NONCE_BYTES + TAG_BYTES;
      if (!sealed.startsWith(FORM) || bytes.length < textAt) return undefined;
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(NONCE_BYTES, textAt));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(textAt)), decipher.final()]).toString();
      } catch {
        return undefined;
      }
    },
  };
}
