/** A tenant with a key on a private Redis, and processes that run its jobs. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { AssembledAdmission } from '../../../src/admission/assemble.ts';
import { createPrincipals, type Principals } from '../../../src/admission/jobs/principals.ts';
import type { NewTenant } from '../../../src/admission/keys/key-store.ts';
import { createKeyStore } from '../../../src/admission/keys/key-store.ts';
import type { Principal } from '../../../src/core/principal.ts';
import { type Charge, noCharge, type Settlement } from '../../../src/core/ticket.ts';
import type { RedisConnection } from '../../../src/redis/connection.ts';
import { type TicketTable, ticketTable } from '../../../src/redis/ticket-table.ts';
import { configFor, type Ground, must, newKey, openGround, quiet, wholeData } from '../ground.ts';

export const MODEL = 'm';
/** Of a ticket that was closed as if it had never been. */
const MARKER = 'c';
export const LIFETIME_MS = 3_600_000;
export const charge: Charge = { ...noCharge, requests: 1, inputTokens: 400, outputTokens: 100 };

export interface JobProcess {
  readonly connection: RedisConnection;
  readonly limits: AssembledAdmission;
  readonly principals: Principals;
  /** Settles once all that it has closed has reached Redis. */
  settled(): Promise<void>;
}

export interface House extends Ground {
  readonly keyId: string;
  readonly table: TicketTable;
  principal(): Promise<Principal>;
  process(): Promise<JobProcess>;
  /** Tickets that are there, slots and what of the day's quota is used, of the tenant. */
  taken(): Promise<{ tickets: number; slots: number; requests: number; tokens: number }>;
  /** Calls, lost ones, input and output tokens of today, as booked. */
  booked(): Promise<readonly number[]>;
}

const day = { period: 'day', requests: 3, tokens: 1_500 } as const;
export const oneSlot: Omit<NewTenant, 'name'> = { limits: { max_concurrent: 1 }, quotas: [day] };

export async function openHouse(t: TestContext, terms: Omit<NewTenant, 'name'> = oneSlot): Promise<House> {
  const ground = await openGround(t);
  must(await ground.store.createTenant({ name: 'acme', ...terms }));
  const { record } = await newKey(ground.store);
  const { ask, keys } = ground.connection;
  const first = await processOf(t, ground);
  return {
    ...ground,
    keyId: record.id,
    table: ticketTable(ground.connection),
    process: () => processOf(t, ground),
    async principal() {
      const verdict = await first.principals.findAnew('acme', record.id, Date.now());
      assert.ok(verdict.ok);
      return verdict.principal;
    },
    async taken() {
      const account = await ask((client) => client.hgetall(keys.account('acme', 'tenant')));
      const texts = await ask((client) => client.hvals(keys.tickets('acme')));
      assert.ok(account.ok && texts.ok);
      const tickets = texts.value.filter((text) => text !== MARKER).length;
      const [, requests = 0, tokens = 0] = (account.value['3'] ?? '').split(' ').map(Number);
      return { tickets, slots: Number(account.value.n ?? 0), requests, tokens };
    },
    async booked() {
      const today = new Date().toISOString().slice(0, 10);
      const sums = await ask((client) => client.hgetall(keys.usage('acme', today, '*', '*')));
      assert.ok(sums.ok);
      return ['c', 'l', 'i', 'o'].map((field) => Number(sums.value[field] ?? 0));
    },
  };
}

async function processOf(t: TestContext, ground: Ground): Promise<JobProcess> {
  const connection = await ground.connect();
  const config = configFor(ground.redis);
  const limits = new AssembledAdmission({
    config,
    version: 'test',
    hasShare: true,
    redis: connection,
    keys: createKeyStore({ redis: connection, config, now: Date.now }),
    models: () => [MODEL],
    inFlight: () => ({}),
    observer: {
      admissionDecided: () => undefined,
      ticketsSettled: () => undefined,
      settlementsDropped: () => undefined,
      ticketsLost: () => undefined,
      slotsRetaken: () => undefined,
      estimateErred: () => undefined,
      limitsUsed: () => undefined,
      charged: () => undefined,
    },
    log: quiet,
  });
  t.after(() => limits.stop(0));
  return {
    connection,
    limits,
    principals: createPrincipals({ redis: connection, config, data: wholeData }),
    async settled() {
      while (limits.backlog > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    },
  };
}

export function spent(inputTokens: number, outputTokens: number): Settlement {
  return {
    spent: { ...noCharge, requests: 1, inputTokens, outputTokens },
    cachedTokens: 0,
    status: 200,
    route: '/v1/chat/completions',
    requestId: 'r',
    durationMs: 5,
  };
}
