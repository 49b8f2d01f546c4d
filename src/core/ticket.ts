/**
 * A ticket is the right to make one call: a leased slot, and tokens and quota reserved before the call and put
 * right after it. Who holds it must close it, once, with what the call has really cost, however it ended:
 *
 *     admit ──▶ holder: the request's hook ──▶ (forward) the relay ──▶ settled when the GPU server is done with
 *                      │                                              it, or at the latest on the response's close
 *                      └─ refused or left before it was forwarded: void, as if it had never been
 *
 * A holder that dies closes nothing; its lease runs out, the slot is free again, and what was reserved stays
 * charged.
 */

/** Whole numbers, none negative. */
export interface Charge {
  /** 1 for a call. 0: the call gives its quota of requests back (it failed for reasons that are not the caller's). */
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly images: number;
  readonly gpuMs: number;
  readonly costNano: number;
}

export const noCharge: Charge = {
  requests: 0,
  inputTokens: 0,
  outputTokens: 0,
  images: 0,
  gpuMs: 0,
  costNano: 0,
};

/** What a ticket takes. A job takes its quota at the door and the rest when it runs. */
export interface TicketParts {
  readonly quota: boolean;
  readonly rate: boolean;
  readonly slot: boolean;
}

/** How a call ended, for the books of its tenant. No prompt, no answer. */
export interface Settlement {
  readonly spent: Charge;
  /** Part of `spent.inputTokens`. */
  readonly cachedTokens: number;
  /** As the caller got it; 499 when he left before there was one. */
  readonly status: number;
  /** Pattern of the route. */
  readonly route: string;
  readonly requestId: string;
  readonly durationMs: number;
}
