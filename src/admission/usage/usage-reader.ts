/** Reading the books. Nothing here needs a ticket or changes anything. */
import { type Refusal, refusal } from '../../core/errors.ts';
import { usdFromNano } from '../../core/money.ts';
import type { Principal } from '../../core/principal.ts';
import type { Answer, RedisConnection } from '../../redis/connection.ts';
import type { KeptCall } from '../../redis/kept-call.ts';
import { usageTable } from '../../redis/usage-table.ts';
import { type KeyUsage, readKeyUsage } from './key-usage.ts';
import { type ReportPage, readReport } from './report.ts';
import { planReport, type ReportQuery } from './report-plan.ts';

export type { KeyUsage } from './key-usage.ts';
export type { ReportPage, ReportRow } from './report.ts';
export { type Grouping, groupings, type ReportQuery } from './report-plan.ts';

export type UsageResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };

/** Wire shape. */
export interface EndedCall extends KeptCall {
  readonly id: string;
  /** When it was settled, ISO 8601. */
  readonly ended_at: string;
  readonly cost_usd: number;
}

export interface EndedCalls {
  /** Newest first. */
  readonly calls: readonly EndedCall[];
  readonly nextCursor: string | null;
}

/** Errors: `store_unavailable`; `invalid_parameter` where a report cannot be had as it was asked for. */
export interface UsageReader {
  ofKey(principal: Principal): Promise<UsageResult<KeyUsage>>;
  /** A page of sums. A group that lies across the edge of two pages has a row on each, which add up. */
  report(query: ReportQuery): Promise<UsageResult<ReportPage>>;
  /** @param page `limit` 1–1000; `cursor` of the page before, as `callCursorPattern` has it */
  calls(
    tenant: string,
    page: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<UsageResult<EndedCalls>>;
}

/** An id in a stream. */
export const callCursorPattern = /^\d{1,16}-\d{1,16}$/;

/** @param now wall clock in milliseconds */
export function createUsageReader({
  redis,
  now,
}: {
  readonly redis: RedisConnection;
  readonly now: () => number;
}): UsageReader {
  const table = usageTable(redis);
  /** A holder who asks all the time costs Redis one reading at a time. */
  const underWay = new Map<string, Promise<UsageResult<KeyUsage>>>();
  return {
    ofKey(principal) {
      const name = `${principal.tenant} ${principal.keyId} ${principal.version}`;
      const known = underWay.get(name);
      if (known) return known;
      const reading = readKeyUsage(table, principal).then(resultOf);
      const ended = reading.finally(() => underWay.delete(name));
      underWay.set(name, ended);
      return ended;
    },

    async report(query) {
      const planned = planReport(query, now());
      return planned.ok ? resultOf(await readReport(table, planned.plan, query.cursor)) : planned;
    },

    async calls(tenant, { limit, cursor }) {
      const found = resultOf(await table.calls(tenant, limit, cursor));
      if (!found.ok) return found;
      const calls = found.value.calls.map(({ id, endedAtMs, call }) => {
        const ended_at = new Date(endedAtMs).toISOString();
        return { id, ended_at, ...call, cost_usd: usdFromNano(call.cost_nano_usd) };
      });
      return { ok: true, value: { calls, nextCursor: found.value.nextCursor } };
    },
  };
}

export const usageCannotBeRead: Refusal = refusal(
  'store_unavailable',
  'Usage cannot be read just now. Try again.',
  {
    headers: { 'Retry-After': '1' },
  },
);

function resultOf<T>(answer: Answer<T>): UsageResult<T> {
  if (answer.ok) return answer;
  return { ok: false, refusal: { ...usageCannotBeRead, reason: answer.failure.cause } };
}
