/** Reads what lies in Redis, past the gateways. */
import { Redis } from 'ioredis';
import { type KeptCall, readKeptCall } from '../../../src/redis/kept-call.ts';
import { redisKeys } from '../../../src/redis/keys.ts';

export const keys = redisKeys('sluice');

export type KeptLine = Pick<KeptCall, 'request_id' | 'status' | 'input_tokens' | 'output_tokens'>;

export interface Sums {
  readonly calls: number;
  readonly errors: number;
  readonly lost: number;
  readonly input: number;
  readonly output: number;
}

export interface Books {
  /** One for each call that was settled. */
  readonly lines: readonly KeptLine[];
  /** All keys and models of all days. */
  readonly ofKeys: Sums;
  readonly ofMonth: Sums;
  readonly ofTenant: Sums;
}

export interface Outstanding {
  readonly open: readonly string[];
  /** By account. */
  readonly slots: Readonly<Record<string, number>>;
}

export interface AccountState {
  readonly quotaRequests: number;
  readonly quotaTokens: number;
}

const noSums: Sums = { calls: 0, errors: 0, lost: 0, input: 0, output: 0 };

export class RedisBooks {
  readonly client: Redis;

  /** @param outlives whether that Redis is killed, and comes back */
  constructor(url: string, outlives = false) {
    this.client = new Redis(url, { retryStrategy: outlives ? () => 50 : null });
    this.client.on('error', () => undefined);
  }

  async outstanding(tenant: string): Promise<Outstanding> {
    const tickets = await this.client.hgetall(keys.tickets(tenant));
    const open = Object.keys(tickets).filter((id) => /^[ob]/.test(tickets[id] ?? ''));
    const accounts = await this.client.keys(keys.account(tenant, '*'));
    const slots: Record<string, number> = {};
    for (const name of accounts) slots[name] = Number((await this.client.hget(name, 'n')) ?? 0);
    return { open, slots };
  }

  async books(tenant: string): Promise<Books> {
    const entries = await this.client.xrange(keys.calls(tenant), '-', '+');
    const hashes = await this.client.keys(`${keys.root(tenant)}:usage:*`);
    const of = (pattern: RegExp) => this.#sumsOf(hashes.filter((name) => pattern.test(name)));
    return {
      lines: entries.map(([, entry]) => readKeptCall(entry)),
      ofKeys: await of(/:usage:\d+-\d+-\d+:(?!\*)/),
      ofMonth: await of(/:usage:\d+-\d+:/),
      ofTenant: await of(/:usage:\d+-\d+-\d+:\*:\*$/),
    };
  }

  /** What was used of the quota of `total`. */
  async account(tenant: string, scope: string): Promise<AccountState> {
    const [, quotaRequests = 0, quotaTokens = 0] = (
      (await this.client.hget(keys.account(tenant, scope), '5')) ?? ''
    )
      .split(' ')
      .map(Number);
    return { quotaRequests, quotaTokens };
  }

  async #sumsOf(hashes: readonly string[]): Promise<Sums> {
    const all = await Promise.all(hashes.map((name) => this.client.hmget(name, 'c', 'e', 'l', 'i', 'o')));
    return all.reduce((sums: Sums, fields) => {
      const [calls = 0, errors = 0, lost = 0, input = 0, output = 0] = fields.map(Number);
      return {
        calls: sums.calls + calls,
        errors: sums.errors + errors,
        lost: sums.lost + lost,
        input: sums.input + input,
        output: sums.output + output,
      };
    }, noSums);
  }

  close(): void {
    this.client.disconnect();
  }
}
