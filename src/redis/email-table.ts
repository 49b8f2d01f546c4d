/** To which tenant an e-mail address belongs. It lies in a slot of its own, so it is claimed before the record is written. */
import type { Answer, RedisConnection } from './connection.ts';

export interface EmailClaim {
  readonly tenant: string;
  /** Wall clock of the replica that claimed it. */
  readonly claimed_at_ms: number;
}

export interface FoundClaim extends EmailClaim {
  /** As it lies in Redis: who changes or drops it says what he has read. */
  readonly text: string;
}

export interface EmailTable {
  /** @param address in lower case, here and below */
  find(address: string): Promise<Answer<FoundClaim | undefined>>;
  /** False: it is not any more as it was read. */
  claim(address: string, before: FoundClaim | undefined, claim: EmailClaim): Promise<Answer<boolean>>;
  drop(address: string, before: FoundClaim): Promise<Answer<boolean>>;
}

export function emailTable({ ask, durable, keys }: RedisConnection): EmailTable {
  return {
    find: (address) =>
      ask(async (client) => {
        const text = await client.get(keys.email(address));
        return text === null ? undefined : { ...JSON.parse(text), text };
      }),
    claim: (address, before, claim) =>
      durable(
        async (client) =>
          (await client.swapText(keys.email(address), before?.text ?? '', JSON.stringify(claim))) === 1,
        keys.email(address),
      ),
    drop: (address, { text }) =>
      ask(async (client) => (await client.dropText(keys.email(address), text)) === 1),
  };
}
