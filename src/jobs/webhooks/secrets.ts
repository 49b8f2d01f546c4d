/** Signatures by the Standard Webhooks, and how the secrets behind them are kept. */
import { createHmac, randomBytes } from 'node:crypto';
import { sealingBox } from '../../admission/sealing.ts';

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
const PREFIX = 'whsec_';

/** Sealed for the tenant, so that no endpoint can be put in another's place. */
export function secretBox(secret: string): SecretBox {
  const box = sealingBox(secret, 'webhooks:1');
  return {
    seal: (tenant, endpoint) => box.seal(tenant, JSON.stringify(endpoint)),
    open(tenant, sealed) {
      const text = box.open(tenant, sealed);
      return text === undefined ? undefined : JSON.parse(text);
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
