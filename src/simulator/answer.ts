/** What a route makes of a request, before time, faults and the network touch it. */

interface Counted {
  readonly promptTokens: number;
  /** Tokens of all choices. */
  readonly outputTokens: number;
  /** Tokens that come one after the other: those of one choice. */
  readonly steps: number;
}

export interface Whole extends Counted {
  readonly kind: 'whole';
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface Stream extends Counted {
  readonly kind: 'stream';
  /** Sent with the first token. */
  readonly opening: string;
  /** The bytes of one step: a token of every choice. 0 ≤ step < steps. */
  frame(step: number): string;
  /** Sent with the last token. */
  readonly closing: string;
}

export type Answer = Whole | Stream;

export function json(
  body: string,
  { promptTokens = 0, outputTokens = 0, steps = 0 }: Partial<Counted> = {},
): Whole {
  return {
    kind: 'whole',
    status: 200,
    contentType: 'application/json',
    body,
    promptTokens,
    outputTokens,
    steps,
  };
}
