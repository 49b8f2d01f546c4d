/** Periods of quotas by this machine's clock, in UTC: 1 minute, 2 hour, 3 day, 4 month, 5 total. As ticket.lua. */

const LENGTHS_MS: readonly (number | undefined)[] = [undefined, 60_000, 3_600_000, 86_400_000];
const MONTH = 4;

/** Numbers the period in which a moment lies; it grows with time. */
export function periodAt(period: number, ms: number): number {
  const lengthMs = LENGTHS_MS[period];
  if (lengthMs !== undefined) return Math.floor(ms / lengthMs);
  if (period !== MONTH) return 0;
  const date = new Date(ms);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

/** Until the period ends; -1: never. */
export function periodEndMs(period: number, ms: number): number {
  const lengthMs = LENGTHS_MS[period];
  if (lengthMs !== undefined) return lengthMs - (ms % lengthMs);
  if (period !== MONTH) return -1;
  const date = new Date(ms);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) - ms;
}
