/** Signs requests by RFC 9421 in any way that a test wants, also in wrong ones. */
import { createHash, createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import type { TestGateway } from '../support/gateway.ts';

export interface Signer {
  readonly keyId: string;
  readonly alg: 'ed25519' | 'hmac-sha256';
  signatureOf(base: string): Buffer;
}

export interface ToSign {
  readonly method?: string;
  readonly authority: string;
  readonly target: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is done otherwise than a good client does it. */
export interface Oddities {
  readonly scheme?: string;
  /** In place of those that a good client covers. */
  readonly covered?: readonly string[];
  /** Seconds. */
  readonly created?: number | null;
  readonly expires?: number;
  readonly nonce?: string | null;
  readonly keyId?: string;
  readonly alg?: string | null;
  readonly label?: string;
  readonly digest?: 'sha-256' | 'sha-512';
}

/** Headers of the request, those of its signature among them. */
export function signed(request: ToSign, signer: Signer, odd: Oddities = {}): Record<string, string> {
  const { method = 'POST', authority, target, body } = request;
  const headers: Record<string, string> = { ...request.headers };
  if (body !== undefined) {
    headers['content-type'] ??= 'application/json';
    headers['content-digest'] ??= digestOf(body, odd.digest);
  }
  const [path = '', query] = target.split('?');
  const values: Record<string, string> = {
    ...headers,
    '@method': method,
    '@authority': authority,
    '@path': path,
    '@query': `?${query ?? ''}`,
    '@target-uri': `${odd.scheme ?? 'http'}://${authority}${target}`,
    '@request-target': target,
  };
  const usual = ['@method', '@authority', '@path'];
  if (query !== undefined) usual.push('@query');
  if (body !== undefined) usual.push('content-digest', 'content-type');
  const covered = odd.covered ?? usual;
  const parameters = parametersOf(covered, signer, odd);
  const lines = covered.map((name) => `"${name}": ${values[name]}`);
  const base = [...lines, `"@signature-params": ${parameters}`].join('\n');
  const label = odd.label ?? 'sig1';
  return {
    ...headers,
    host: authority,
    'signature-input': `${label}=${parameters}`,
    signature: `${label}=:${signer.signatureOf(base).toString('base64')}:`,
  };
}

function parametersOf(covered: readonly string[], signer: Signer, odd: Oddities): string {
  const created = odd.created === undefined ? Math.floor(Date.now() / 1_000) : odd.created;
  const nonce = odd.nonce === undefined ? randomBytes(18).toString('base64url') : odd.nonce;
  const alg = odd.alg === undefined ? signer.alg : odd.alg;
  const parameters = [
    `(${covered.map((name) => `"${name}"`).join(' ')})`,
    created !== null && `created=${created}`,
    odd.expires !== undefined && `expires=${odd.expires}`,
    `keyid="${odd.keyId ?? signer.keyId}"`,
    alg !== null && `alg="${alg}"`,
    nonce !== null && `nonce="${nonce}"`,
  ];
  return parameters.filter((one) => one !== false).join(';');
}

export function digestOf(body: string, algorithm: 'sha-256' | 'sha-512' = 'sha-256'): string {
  return `${algorithm}=:${createHash(algorithm.replace('-', '')).update(body).digest('base64')}:`;
}

/** Its public key entered for the API key. */
export async function ed25519Signer(gateway: TestGateway, key: string): Promise<Signer & { pem: string }> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const public_key = publicKey.export({ format: 'jwk' });
  const { body } = await gateway.admin('PUT', `/keys/${key}/signing-keys`, { alg: 'ed25519', public_key });
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  return { ...withPrivateKey(String(body.id), privateKey), pem };
}

export function withPrivateKey(keyId: string, privateKey: KeyObject): Signer {
  return { keyId, alg: 'ed25519', signatureOf: (base) => sign(null, Buffer.from(base), privateKey) };
}

export async function hmacSigner(
  gateway: TestGateway,
  key: string,
  wanted: Readonly<Record<string, unknown>> = {},
): Promise<Signer & { secret: string }> {
  const { body } = await gateway.admin('PUT', `/keys/${key}/signing-keys`, { alg: 'hmac-sha256', ...wanted });
  const secret = String(body.secret);
  return { ...withSecret(String(body.id), Buffer.from(secret.slice('sigsec_'.length), 'base64')), secret };
}

export function withSecret(keyId: string, secret: Buffer): Signer {
  return {
    keyId,
    alg: 'hmac-sha256',
    signatureOf: (base) => createHmac('sha256', secret).update(base).digest(),
  };
}
