/** Days (2026-11-21) and months (2026-11) in UTC, as the books name them. */

const DAY_MS = 86_400_000;

export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export function monthOf(span: string): string {
  return span.slice(0, 7);
}

/** The day so many days after another, or before it where the number is negative. */
export function dayAfter(day: string, days: number): string {
  return dayOf(Date.parse(day) + days * DAY_MS);
}

/** `2026-11` and 2 make `2027-01`. */
export function monthAfter(month: string, months: number): string {
  const [year = 0, number = 1] = month.split('-').map(Number);
  return new Date(Date.UTC(year, number - 1 + months)).toISOString().slice(0, 7);
}

/** Whether there is such a day: 2026-02-30 is none. */
export function isDay(text: string): boolean {
  if (!/^[12]\d{3}-\d\d-\d\d$/.test(text)) return false;
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && dayOf(ms) === text;
}

export function isMonth(text: string): boolean {
  return /^[12]\d{3}-(0[1-9]|1[0-2])$/.test(text);
}

/** From the first to the last, both with it; at most `countMax`, and one more where there are more. */
export function spansBetween(from: string, to: string, countMax: number): string[] {
  const next = from.length === 7 ? monthAfter : dayAfter;
  const spans: string[] = [];
  for (let span = from; span <= to && spans.length <= countMax; span = next(span, 1)) spans.push(span);
  return spans;
}
