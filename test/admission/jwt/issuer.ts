/** A small identity provider: discovery, public keys, rotation, tokens as they are asked for, good and bad. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose';

export interface SigningKey {
  readonly alg: string;
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export interface TestIssuer {
  readonly url: string;
  /** Published, the first signs. */
  keys: SigningKey[];
  /** Paths that were asked for. */
  readonly asked: string[];
  /** In place of an answer. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  /** A good one, with what differs. A claim that is undefined is left out. */
  token(claims?: JWTPayload, header?: Partial<JWTHeaderParameters>, key?: SigningKey): Promise<string>;
  stop(): Promise<void>;
}

export const AUDIENCE = 'sluice';

let made = 0;

export async function signingKey(alg = 'RS256'): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  made += 1;
  const kid = `key-${made}`;
  return { alg, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

export async function startIssuer(): Promise<TestIssuer> {
  const server = createServer((request, response) => {
    issuer.asked.push(request.url ?? '');
    if (issuer.answer) return issuer.answer(request, response);
    response.setHeader('content-type', 'application/json');
    if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/keys` }));
    } else response.end(JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer: TestIssuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys: [await signingKey()],
    asked: [],
    answer: undefined,
    token: (claims = {}, header = {}, key = issuer.keys[0] as SigningKey) =>
      new SignJWT(claimsOf(issuer.url, claims))
        .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
        .sign(key.privateKey),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return issuer;
}

/** Those of a good token. */
export function claimsOf(issuer: string, claims: JWTPayload = {}): JWTPayload {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const usual = { iss: issuer, aud: AUDIENCE, sub: 'alice', tenant: 'acme', iat: nowSeconds };
  const all = { ...usual, exp: nowSeconds + 300, ...claims };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Put together by hand, as no library would. */
export function rawToken(header: object, claims: object, signature: string | Buffer = ''): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.${Buffer.from(signature).toString('base64url')}`;
}
