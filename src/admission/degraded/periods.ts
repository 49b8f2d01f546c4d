/** Periods by the numbers that the scripts have for them: 1 minute, 2 hour, 3 day, 4 month, 5 total. */
import { type QuotaPeriod, quotaPeriods } from '../../core/limits.ts';
import { periodAt as at, periodEndMs as endOf } from '../../core/periods.ts';

export function periodAt(period: number, ms: number): number {
  return at(quotaPeriods[period - 1] as QuotaPeriod, ms);
}

/** Until the period ends; -1: never. */
export function periodEndMs(period: number, ms: number): number {
  const endMs = endOf(quotaPeriods[period - 1] as QuotaPeriod, ms);
  return endMs === undefined ? -1 : endMs - ms;
}
