/** What a test may look at and change, in the same process or over `/sim/…`. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { FaultBook } from './fault-book.ts';
import type { FaultRule, Switches } from './faults.ts';
import type { Counts, Ledger } from './ledger.ts';

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** Takes the headers out of the request only when somebody looks. */
export class Recorded implements RecordedRequest {
  readonly path: string;
  readonly body: Buffer;
  readonly #request: IncomingMessage;

  constructor(request: IncomingMessage, path: string, body: Buffer) {
    this.#request = request;
    this.path = path;
    this.body = body;
  }

  get method(): string {
    return this.#request.method ?? '';
  }

  get headers(): IncomingHttpHeaders {
    return this.#request.headers;
  }

  get rawHeaders(): readonly string[] {
    return this.#request.rawHeaders;
  }
}

export interface SimulatorState {
  readonly counts: Readonly<Counts>;
  /** The last POST that was read in full, other than to /sim. */
  readonly last: RecordedRequest | undefined;
  /** Adds a rule; later ones lie over earlier ones. */
  addFault(rule: FaultRule): void;
  /** Turns what concerns the whole server on or off. */
  turn(switches: Switches): void;
  /** Drops all rules and turns all switches off. */
  clearFaults(): void;
  /** Resolves when `holds` is true of the counts. */
  until(holds: (counts: Readonly<Counts>) => boolean): Promise<void>;
}

export interface Recorder {
  last: RecordedRequest | undefined;
}

export function createState(ledger: Ledger, faults: FaultBook, recorder: Recorder): SimulatorState {
  return {
    counts: ledger.counts,
    get last() {
      return recorder.last;
    },
    addFault: (rule) => faults.add({ rule }),
    turn: (switches) => faults.add({ switches }),
    clearFaults: () => faults.clear(),
    until: (holds) => ledger.until(holds),
  };
}
