/** Nonces of signed requests, each of which counts once in the cluster. */
import { hash } from 'node:crypto';
import type { Answer, RedisConnection } from './connection.ts';

export interface NonceTable {
  /**
   * False: it has been used before.
   * @param nonce as the caller made it; what lies in Redis is a digest of it
   * @param forMs how long a request with it could be taken for a new one
   */
  claim(tenant: string, signingKey: string, nonce: string, forMs: number): Promise<Answer<boolean>>;
}

export function nonceTable({ ask, keys }: Pick<RedisConnection, 'ask' | 'keys'>): NonceTable {
  return {
    claim: (tenant, signingKey, nonce, forMs) =>
      ask(async (client) => {
        const key = keys.nonce(tenant, hash('sha256', `${signingKey} ${nonce}`, 'base64url'));
        return (await client.set(key, '', 'PX', Math.ceil(forMs), 'NX')) !== null;
      }),
  };
}
