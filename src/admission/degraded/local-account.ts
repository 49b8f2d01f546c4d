/** What this replica knows of one scope: calls that run here, what Redis said of its quotas, and what came since. */
import type { Amounts, ScopeQuota } from '../../redis/ticket-table.ts';
import { periodAt, periodEndMs } from './periods.ts';

/** Dimensions from here on (GPU time, money) cannot be foreseen, so they refuse once they are spent. */
const UNFORESEEN_FROM = 3;

interface Spent {
  readonly period: number;
  readonly amounts: number[];
}

export interface SpentQuota {
  /** 10 × period + dimension, as the script has it. */
  readonly code: number;
  /** Until the period ends; -1: never. */
  readonly waitMs: number;
}

export class LocalAccount {
  /** Calls of this replica that hold a slot. */
  running = 0;
  #seenQuotas: readonly ScopeQuota[] = [];
  #seenUsed: readonly Amounts[] = [];
  #seenAtMs = 0;
  /** By period, since Redis was last heard. */
  #spent: (Spent | undefined)[] = [];

  /** True when nothing is lost by forgetting it, but for what Redis last said. */
  get isIdle(): boolean {
    return this.running === 0 && this.#spent.length === 0;
  }

  /** On the hot path: keeps the references. What was spent here before is, or will be, among what Redis counts. */
  see(quotas: readonly ScopeQuota[], used: readonly Amounts[], nowMs: number): void {
    this.#seenQuotas = quotas;
    this.#seenUsed = used;
    this.#seenAtMs = nowMs;
    if (this.#spent.length > 0) this.#spent = [];
  }

  /** Which quota refuses these amounts, where this replica may use one part in so many of what is left. */
  refusing(
    quotas: readonly ScopeQuota[],
    amounts: Amounts,
    parts: number,
    nowMs: number,
  ): SpentQuota | undefined {
    for (const { period, max } of quotas) {
      const seen = this.#seenIn(period, nowMs);
      const spent = this.#spentIn(period, nowMs);
      for (const [index, limit] of max.entries()) {
        const amount = amounts[index] ?? 0;
        if (limit === undefined || (amount === 0 && index < UNFORESEEN_FROM)) continue;
        const share = Math.floor(Math.max(0, limit - (seen?.[index] ?? 0)) / parts);
        const used = spent?.[index] ?? 0;
        if (used >= share || used + amount > share) {
          return { code: 10 * period + index + 1, waitMs: periodEndMs(period, nowMs) };
        }
      }
    }
    return undefined;
  }

  /** @param atMs when the call was admitted: a period that has ended since is not touched */
  spend(quotas: readonly ScopeQuota[], amounts: Amounts, atMs: number): void {
    for (const { period } of quotas) {
      const index = periodAt(period, atMs);
      let spent = this.#spent[period];
      if (spent && spent.period > index) continue;
      if (!spent || spent.period < index) {
        spent = { period: index, amounts: [0, 0, 0, 0, 0] };
        this.#spent[period] = spent;
      }
      for (const [dimension, amount] of amounts.entries()) {
        spent.amounts[dimension] = Math.max(0, (spent.amounts[dimension] ?? 0) + amount);
      }
    }
  }

  /** Undefined: nobody has said, or a new period has begun since; either way all of the quota is there. */
  #seenIn(period: number, nowMs: number): Amounts | undefined {
    // Clocks differ: a step back over the edge of a period must not give the quota anew.
    if (periodAt(period, this.#seenAtMs) < periodAt(period, nowMs)) return undefined;
    return this.#seenUsed[this.#seenQuotas.findIndex((quota) => quota.period === period)];
  }

  #spentIn(period: number, nowMs: number): readonly number[] | undefined {
    const spent = this.#spent[period];
    return spent && spent.period >= periodAt(period, nowMs) ? spent.amounts : undefined;
  }
}
