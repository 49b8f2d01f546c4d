import { type Edit, type Member, splice } from '../core/json-scan.ts';
import { locate } from '../core/json-walk.ts';
import { dataOf } from './sse.ts';
import { behind, isClientCall, isObject, lastText, parseObject, responseEdits } from './suffix-json.ts';

type Fields = Readonly<Record<string, unknown>>;

interface Parsed {
  readonly event: Buffer;
  readonly data: Member;
  readonly fields: Fields;
}

/**
 * A stream of the Responses API, event by event, with a text behind its answer: a delta of its own, and the whole text
 * in all events that repeat it.
 *
 * Which text is the last is known only when the response ends, or goes on. So the events that end a text are held until
 * then, and with them what is no news of the answer; they come in one burst with what follows.
 */
export class SuffixedResponse {
  readonly #suffix: string;
  #held: Parsed[] = [];
  heldBytes = 0;
  /** The newest delta of a text that no event has ended. */
  #open: Fields | undefined;
  #callsFunctions = false;
  /** By how much the numbers of the events have moved. */
  #shift = 0;

  constructor(suffix: string) {
    this.#suffix = suffix;
  }

  /** Takes a whole event and adds to `out` what the caller is to get. */
  event(event: Buffer, out: Buffer[]): void {
    const data = dataOf(event);
    const fields = data && parseObject(event.subarray(data.start, data.end));
    if (!fields) {
      // A comment, which may stand anywhere.
      out.push(event);
      return;
    }
    const parsed = { event, data, fields };
    const type = String(fields.type);
    if (terminalTypes.has(type)) return this.#end(parsed, out);
    if (isObject(fields.item) && isClientCall(fields.item.type)) this.#callsFunctions = true;
    if (type === 'response.output_text.done') {
      this.flush(out);
      this.#open = undefined;
      this.#hold(parsed);
    } else if (this.#held.length > 0 && !isNews(type)) {
      this.#hold(parsed);
    } else {
      this.flush(out);
      if (type === 'response.output_text.delta') this.#open = fields;
      out.push(this.#edited(parsed, []));
    }
  }

  /** Lets go what is held, as it came. */
  flush(out: Buffer[]): void {
    for (const held of this.#held) out.push(this.#edited(held, []));
    this.#release();
  }

  #hold(parsed: Parsed): void {
    this.#held.push(parsed);
    this.heldBytes += parsed.event.length;
  }

  #release(): void {
    this.#held = [];
    this.heldBytes = 0;
  }

  #end(terminal: Parsed, out: Buffer[]): void {
    const { type, response } = terminal.fields;
    const last = this.#held[0]?.fields ?? this.#open;
    const hasEnded = type === 'response.completed' || type === 'response.incomplete';
    if (!last || this.#callsFunctions || !hasEnded || !isObject(response)) {
      this.flush(out);
      out.push(this.#edited(terminal, []));
      return;
    }
    const first = this.#held[0] ?? terminal;
    out.push(this.#delta(first, last));
    this.#shift += 1;
    for (const held of this.#held) out.push(this.#edited(held, textPath(held.fields)));
    this.#release();
    this.#open = undefined;
    out.push(this.#edited(terminal, [], true));
  }

  /** In the place, and with the number, of the event before which it stands. */
  #delta({ event, fields }: Parsed, { item_id, output_index, content_index }: Fields): Buffer {
    const type = 'response.output_text.delta';
    const number = fields.sequence_number;
    const json = JSON.stringify({
      type,
      ...(typeof number === 'number' && { sequence_number: number + this.#shift }),
      ...{ item_id, output_index, content_index, delta: this.#suffix, logprobs: [] },
    });
    const name = event.indexOf('event:') === 0 ? `event: ${type}\n` : '';
    return Buffer.from(`${name}data: ${json}\n\n`);
  }

  /** @param path of a text that gets the suffix; empty: none does */
  #edited({ event, data, fields }: Parsed, path: readonly (string | number)[], isTerminal = false): Buffer {
    if (this.#shift === 0 && path.length === 0 && !isTerminal) return event;
    const json = event.subarray(data.start, data.end);
    const root = { start: json.indexOf(0x7b), end: json.length };
    const edits: Edit[] = [];
    const number = this.#shift === 0 ? undefined : locate(json, root, ['sequence_number']);
    if (number && typeof fields.sequence_number === 'number') {
      edits.push({ ...number, bytes: Buffer.from(String(fields.sequence_number + this.#shift)) });
    }
    const text = path.length > 0 ? locate(json, root, path) : undefined;
    if (text) edits.push(behind(text, this.#suffix));
    const response = isTerminal ? locate(json, root, ['response']) : undefined;
    if (response) edits.push(...responseEdits(json, response, fields.response as Fields, this.#suffix));
    return edits.length > 0 ? splice(event, [{ ...data, bytes: splice(json, edits) }]) : event;
  }
}

const terminalTypes: ReadonlySet<string> = new Set([
  'response.completed',
  'response.incomplete',
  'response.failed',
  'error',
]);

/** The answer goes on, with another item or part or with more of one. */
function isNews(type: string): boolean {
  return type.endsWith('.delta') || type.endsWith('.added');
}

/** Where an event repeats the text that has just ended; empty if it does not. */
function textPath({ type, text, part, item }: Fields): (string | number)[] {
  if (type === 'response.output_text.done') return typeof text === 'string' ? ['text'] : [];
  if (type === 'response.content_part.done') {
    return isObject(part) && part.type === 'output_text' && typeof part.text === 'string'
      ? ['part', 'text']
      : [];
  }
  if (type !== 'response.output_item.done' || !isObject(item) || item.type !== 'message') return [];
  const index = lastText(item);
  return index < 0 ? [] : ['item', 'content', index, 'text'];
}
