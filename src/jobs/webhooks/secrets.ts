/** Signatures by the Standard Webhooks, and how the secrets behind them are kept. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { derivedSecret } from '../../admission/keys/key-digest.ts';

/** An endpoint, as only the holders of `SLUICE_SECRET` can read it. */
export interface Confidential {
  readonly url: string;
  /** The newest first. */
  readonly secrets: readonly {
    /** `whsec_` and base64. */
    readonly secret: string;
    readonly created_at_ms: number;
    /** Null: as long as nothing takes its place. */
    readonly not_after_ms: number | null;
  }[];
}

export interface SecretBox {
  seal(tenant: string, endpoint: Confidential): string;
  /** Undefined: sealed for another tenant or with another secret, or damaged. */
  open(tenant: string, sealed: string): Confidential | undefined;
}

const SECRET_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PREFIX = 'whsec_';
const FORM = '1:';

/** The tenant's name is authenticated too, so that no endpoint can be put in another's place. */
export function secretBox(secret: string): SecretBox {
  const key = derivedSecret(secret, 'webhooks:1');
  return {
    seal(tenant, endpoint) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(tenant));
      const text = Buffer.concat([cipher.update(JSON.stringify(endpoint)), cipher.final()]);
      return FORM + Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url');
    },
    open(tenant, sealed) {
      const bytes = Buffer.from(sealed.slice(FORM.length), 'base64url');
      if (!sealed.startsWith(FORM) || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
      const textAt = NONCE_BYTES + TAG_BYTES;
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(tenant)).setAuthTag(bytes.subarray(NONCE_BYTES, textAt));
      try {
        const text = Buffer.concat([decipher.update(bytes.subarray(textAt)), decipher.final()]);
        return JSON.parse(text.toString());
      } catch {
        return undefined;
      }
    },
  };
}

export function newSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64');
}

/** One for each secret that still holds, the newest first, with a space between. */
export function signatures(
  { secrets }: Confidential,
  signed: { readonly id: string; readonly timestamp: number; readonly body: string },
  nowMs: number,
): string {
  const { id, timestamp, body } = signed;
  return secrets
    .filter(({ not_after_ms }) => not_after_ms === null || not_after_ms > nowMs)
    .map(({ secret }) => {
      const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
      return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
    })
    .join(' ');
}
