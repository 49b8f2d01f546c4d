/** What the callers saw. All times are `performance.now()` of the test's own process. */
import type { IncomingHttpHeaders } from 'node:http';

export interface TokenCount {
  readonly input: number;
  readonly output: number;
}

/** A call as it was meant, and how it went. */
export interface CallRecord {
  /** Goes along as `x-request-id`, and so into the tenant's stream of calls. */
  readonly id: string;
  readonly keyId: string;
  /** What the test calls this kind of ending. */
  readonly kind: string;
  readonly replica: number;
  readonly sentAtMs: number;
  /** End of the answer, or of the waiting for it. */
  readonly answeredAtMs: number;
  /** 0: no answer came. */
  readonly status: number;
  /** `type` and `code` of the error. */
  readonly refusal: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** As the server counts this request when it answers it whole. */
  readonly counted: TokenCount;
  /** As the answer said. */
  readonly usage: TokenCount | undefined;
  /** The answer came to its end. */
  readonly isWhole: boolean;
}

export class History {
  readonly calls: CallRecord[] = [];

  add(call: CallRecord): CallRecord {
    this.calls.push(call);
    return call;
  }

  admitted(): CallRecord[] {
    return this.calls.filter(({ status }) => status === 200);
  }

  /** `200: 12, 429: 3` */
  summary(): string {
    const counts = Map.groupBy(this.calls, ({ status }) => status);
    return [...counts].map(([status, calls]) => `${status}: ${calls.length}`).join(', ');
  }
}
