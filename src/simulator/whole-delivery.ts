/** An answer in one piece: cut, spoilt or made huge as a fault wants it. */
import type { Whole } from './answer.ts';
import { cutAfter, type Delivery, type Ends } from './delivery.ts';
import type { Fault } from './faults.ts';
import type { Reply } from './reply.ts';

const BYTES_PER_TOKEN = 4;
const PART_MAX_BYTES = 65_536;
const filler = Buffer.alloc(PART_MAX_BYTES, ' ');

export class WholeDelivery implements Delivery {
  sentTokens = 0;
  readonly #answer: Whole;
  readonly #fault: Fault;
  readonly #reply: Reply;
  readonly #ends: Ends;
  #stopped = false;

  constructor(answer: Whole, fault: Fault, reply: Reply, ends: Ends) {
    this.#answer = answer;
    this.#fault = fault;
    this.#reply = reply;
    this.#ends = ends;
  }

  begin(): void {
    const parts = partsOf(this.#answer, this.#fault);
    let length = 0;
    for (const part of parts) length += part.length;
    const sentBytes = Math.min(length, cutAfter(this.#fault) * BYTES_PER_TOKEN);
    this.#reply.head(this.#answer.status, this.#answer.contentType, length);
    if (sentBytes === 0) this.#reply.flushHead();
    this.#send(parts, sentBytes);
  }

  stop(): void {
    this.#stopped = true;
  }

  #send(parts: Buffer[], leftBytes: number): void {
    let left = leftBytes;
    for (let part = parts.shift(); part && left > 0 && !this.#stopped; part = parts.shift()) {
      const sent = part.subarray(0, left);
      left -= sent.length;
      if (!this.#reply.write(sent) && left > 0) {
        this.#reply.onDrain(() => this.#send(parts, left));
        return;
      }
    }
    if (this.#stopped) return;
    if (this.#fault.cut !== undefined) {
      this.#ends.cut(this.#fault.cut);
      return;
    }
    this.sentTokens = this.#answer.outputTokens;
    this.#reply.end();
    this.#ends.ended();
  }
}

/** Spaces make an answer huge: they mean nothing in JSON and are allowed inside a text. */
function partsOf({ body }: Whole, fault: Fault): Buffer[] {
  const bytes = Buffer.from(fault.invalid_json ? body.slice(0, Math.floor(body.length / 2)) : body);
  if (!fault.answer_bytes) return [bytes];
  const middle = Math.max(1, bytes.indexOf(' '));
  const parts = [bytes.subarray(0, middle)];
  for (let left = fault.answer_bytes; left > 0; left -= PART_MAX_BYTES) {
    parts.push(left < PART_MAX_BYTES ? filler.subarray(0, left) : filler);
  }
  parts.push(bytes.subarray(middle));
  return parts;
}
