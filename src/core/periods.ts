/** Periods of quotas, in UTC. The scripts number them likewise (`period_at` in ticket.lua). */
import type { QuotaPeriod } from './limits.ts';

const LENGTHS_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** Numbers the period in which a moment lies; it grows with time. */
export function periodAt(period: QuotaPeriod, ms: number): number {
  if (period === 'total') return 0;
  if (period !== 'month') return Math.floor(ms / LENGTHS_MS[period]);
  const date = new Date(ms);
  return date.getUTCFullYear() * 12 + date.getUTCMonth() + 1;
}

/** When the period in which a moment lies is over, in milliseconds; undefined: never. */
export function periodEndMs(period: QuotaPeriod, ms: number): number | undefined {
  if (period === 'total') return undefined;
  if (period !== 'month') return (Math.floor(ms / LENGTHS_MS[period]) + 1) * LENGTHS_MS[period];
  const date = new Date(ms);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
}
