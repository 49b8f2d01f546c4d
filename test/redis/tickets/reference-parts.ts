/** Buckets, periods and sums of the reference model, each in the plainest way that is right. */
import type { Charge, Settlement } from '../../../src/core/ticket.ts';
import type { Amounts, Bucket as Pace } from '../../../src/redis/ticket-table.ts';

/** Holds `held` at `atMs` and fills from there; less than nothing is debt. */
export interface Bucket {
  readonly perMinute: number;
  readonly burst: number;
  readonly held: number;
  readonly atMs: number;
}

export function heldAt(bucket: Bucket, nowMs: number): number {
  return Math.min(bucket.burst, bucket.held + ((nowMs - bucket.atMs) * bucket.perMinute) / 60_000);
}

/** A new one is full; a known one keeps what it holds, up to its new size, as debt does. */
export function adopted(bucket: Bucket | undefined, pace: Pace, nowMs: number): Bucket | undefined {
  const { perMinute, burst } = pace;
  if (perMinute === undefined || burst === undefined) return undefined;
  const held = bucket ? clamp(heldAt(bucket, nowMs), -burst, burst) : burst;
  return { perMinute, burst, held, atMs: nowMs };
}

/** @param amount negative: given back */
export function charged(bucket: Bucket, amount: number, nowMs: number): Bucket {
  const held = clamp(heldAt(bucket, nowMs) - amount, -bucket.burst, bucket.burst);
  return { ...bucket, held, atMs: nowMs };
}

/** How long until it holds so much. */
export function missingMs(bucket: Bucket, needed: number, nowMs: number): number {
  return ((needed - heldAt(bucket, nowMs)) / bucket.perMinute) * 60_000;
}

export function clamp(value: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, value));
}

/** A number that names the period of that kind (1 minute … 5 total) in which a moment lies. */
export function periodAt(kind: number, ms: number): number {
  if (kind === 1) return Math.floor(ms / 60_000);
  if (kind === 2) return Math.floor(ms / 3_600_000);
  if (kind === 3) return Math.floor(ms / 86_400_000);
  if (kind === 5) return 0;
  const date = new Date(ms);
  return date.getUTCFullYear() * 12 + date.getUTCMonth() + 1;
}

/** -1: it has no end. */
export function periodEndMs(kind: number, ms: number): number {
  if (kind === 5) return -1;
  const date = new Date(ms);
  if (kind === 4) return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) - ms;
  const lengthMs = [60_000, 3_600_000, 86_400_000][kind - 1] ?? 0;
  return lengthMs - (ms % lengthMs);
}

export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export function monthOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 7);
}

/** Sums by the names of their fields; those that are 0 are not there. */
export type Sums = Map<string, number>;

export function addSums(to: Sums, amounts: Readonly<Record<string, number>>, times = 1): void {
  for (const [field, amount] of Object.entries(amounts)) {
    if (amount !== 0) to.set(field, (to.get(field) ?? 0) + amount * times);
  }
}

function chargeSums({ inputTokens, outputTokens, images, gpuMs, costNano }: Charge) {
  return { i: inputTokens, o: outputTokens, p: images, g: gpuMs, n: costNano };
}

export function settledSums(settlement: Settlement): Record<string, number> {
  const { spent, cachedTokens, status, durationMs } = settlement;
  return { c: 1, e: status >= 400 ? 1 : 0, h: cachedTokens, d: durationMs, ...chargeSums(spent) };
}

export function lostSums(charge: Charge): Record<string, number> {
  return { c: 1, l: 1, ...chargeSums(charge) };
}

/** Never less than nothing. */
export function plus(one: Amounts, other: Amounts): Amounts {
  const sum = (index: 0 | 1 | 2 | 3 | 4) => Math.max(0, one[index] + other[index]);
  return [sum(0), sum(1), sum(2), sum(3), sum(4)];
}

export function minus(one: Amounts, other: Amounts): Amounts {
  const rest = (index: 0 | 1 | 2 | 3 | 4) => one[index] - other[index];
  return [rest(0), rest(1), rest(2), rest(3), rest(4)];
}
