/** Sending an answer: what whole-delivery.ts and stream-delivery.ts have in common. */
import type { Fault } from './faults.ts';

export interface Timing {
  readonly firstTokenMs: number;
  readonly tokenMs: number;
}

export type Cut = NonNullable<Fault['cut']>;

export interface Ends {
  /** The last byte has been handed over. */
  ended(): void;
  /** The answer was broken off here; the connection has still to feel it. */
  cut(how: Cut): void;
}

export interface Delivery {
  /** Output tokens sent so far. */
  readonly sentTokens: number;
  begin(): void;
  /** Nothing more is written. */
  stop(): void;
}

/** After how many tokens the answer breaks off; infinite if it does not. */
export function cutAfter(fault: Fault): number {
  return fault.cut === undefined ? Number.POSITIVE_INFINITY : (fault.cut_after_tokens ?? 0);
}
