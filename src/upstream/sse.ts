import { splice } from '../core/json-scan.ts';
import { largerUsage, readUsage, type Usage } from '../core/usage.ts';
import { replaceModel } from './json-answer.ts';

/** An event that is longer than this is no token; holding it would be a way to fill our memory. */
export const EVENT_BYTES_MAX = 4_194_304;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const DONE = Buffer.from('[DONE]');
const DATA = Buffer.from('data:');
const USAGE = Buffer.from('"usage"');
const MODEL = Buffer.from('"model"');
const ERROR = Buffer.from('"error"');
const TYPE = Buffer.from('"type"');
const TERMINAL_EVENTS = ['response.completed', 'response.incomplete', 'response.failed', 'error'].map(
  (type) => Buffer.from(`"${type}"`),
);

export interface StreamShape {
  /** What every event shall name as its model. */
  readonly model: string | undefined;
  /** The gateway asked for the chunk with the usage, the client did not: it is taken out again. */
  readonly dropUsageChunk: boolean;
  /** Chat and completions end with `[DONE]`, the Responses API with a terminal event; of others nothing is known. */
  readonly ending: 'done' | 'terminal_event' | 'unknown';
}

/**
 * A stream of server-sent events on its way through: byte for byte what the server sent, but for the usage chunk
 * that the gateway itself asked for and the name of the model.
 *
 * Only whole events pass; the beginning of one waits for its end. Nearly always a piece is some whole events with
 * nothing to change, and then it is passed on as it is after two native searches.
 */
export class SseAnswer {
  usage: Usage | undefined;
  /** The server has said that the answer is complete. */
  complete = false;
  overflow = false;
  readonly addedBytes = 0;
  /** JSON of an error that the server put into its stream. Neither it nor what follows is passed on. */
  failure: Buffer | undefined;

  readonly #shape: StreamShape;
  readonly #model: Buffer | undefined;
  /** Exactly the bytes that a compact serialiser writes when nothing has to change. */
  readonly #compactModel: Buffer | undefined;
  #held: Buffer | undefined;
  /** In chat streams every chunk names the same model, so one look is enough. */
  #modelIsRight = false;

  constructor(shape: StreamShape) {
    this.#shape = shape;
    if (shape.model !== undefined) {
      this.#model = Buffer.from(JSON.stringify(shape.model));
      this.#compactModel = Buffer.concat([MODEL, Buffer.from(':'), this.#model]);
    } else {
      this.#modelIsRight = true;
    }
  }

  /** True between events, where a comment may be put in. */
  get betweenEvents(): boolean {
    return this.#held === undefined;
  }

  /** Takes a piece, returns the whole events that it completes, edited; undefined if there are none. */
  push(piece: Buffer): Buffer | undefined {
    const bytes = this.#held ? Buffer.concat([this.#held, piece]) : piece;
    const end = endOfLastEvent(bytes, this.#held ? this.#held.length : 0);
    if (end === bytes.length) {
      this.#held = undefined;
      return this.#events(bytes);
    }
    this.#held = bytes.subarray(end);
    if (this.#held.length > EVENT_BYTES_MAX) this.overflow = true;
    return end > 0 ? this.#events(bytes.subarray(0, end)) : undefined;
  }

  /** What was left without an empty line behind it: passed on, because a client may still read it. */
  end(): Buffer | undefined {
    const rest = this.#held;
    this.#held = undefined;
    return rest && this.#events(rest);
  }

  #events(block: Buffer): Buffer | undefined {
    this.#lookForEnding(block);
    if (!namesUsage(block) && block.indexOf(ERROR) < 0 && this.#nothingToMap(block)) return block;
    const kept: Buffer[] = [];
    let at = 0;
    while (at < block.length && this.failure === undefined) {
      const end = endOfFirstEvent(block, at);
      const event = this.#event(block.subarray(at, end));
      if (event) kept.push(event);
      at = end;
    }
    if (kept.length === 0) return undefined;
    return kept.length === 1 ? kept[0] : Buffer.concat(kept);
  }

  #nothingToMap(block: Buffer): boolean {
    if (this.#modelIsRight || this.#compactModel === undefined) return true;
    const first = block.indexOf(MODEL);
    if (first < 0) return true;
    if (this.#shape.ending !== 'done' || block.indexOf(this.#compactModel) !== first) return false;
    this.#modelIsRight = true;
    return true;
  }

  #event(event: Buffer): Buffer | undefined {
    const data = dataOf(event);
    if (!data) return event;
    const json = event.subarray(data.start, data.end);
    if (this.#shape.ending === 'done' && json.indexOf(ERROR) >= 0 && isFailure(json)) {
      this.failure = json;
      return undefined;
    }
    if (namesUsage(json) && this.#readUsage(json) && this.#shape.dropUsageChunk) return undefined;
    if (this.#modelIsRight || this.#model === undefined || json.indexOf(MODEL) < 0) return event;
    const mapped = replaceModel(json, this.#model);
    return mapped === json ? event : splice(event, [{ ...data, bytes: mapped }]);
  }

  /** Returns whether this is the chunk that carries nothing but the usage. */
  #readUsage(json: Buffer): boolean {
    const chunk = parse(json);
    if (chunk === undefined) return false;
    const response = chunk.response as Record<string, unknown> | undefined;
    const usage = readUsage(chunk.usage ?? response?.usage);
    this.usage = largerUsage(this.usage, usage);
    return usage !== undefined && Array.isArray(chunk.choices) && chunk.choices.length === 0;
  }

  #lookForEnding(block: Buffer): void {
    if (this.complete || this.#shape.ending === 'unknown') return;
    if (this.#shape.ending === 'terminal_event') {
      this.complete = TERMINAL_EVENTS.some((type) => namesType(block, type));
    }
    // Nearly every block ends with the `}` of its JSON, so one byte tells that `[DONE]` is not there.
    let last = block.length - 1;
    while (last >= 0 && (block[last] === LINE_FEED || block[last] === CARRIAGE_RETURN)) last -= 1;
    if (block[last] !== CLOSE_BRACE && saysDone(block)) this.complete = true;
  }
}

/** Is there a line `data: [DONE]`? Comments may stand behind it. */
function saysDone(block: Buffer): boolean {
  const start = block.lastIndexOf(DONE);
  if (start < 0) return false;
  const next = block[start + DONE.length];
  if (next !== undefined && next !== LINE_FEED && next !== CARRIAGE_RETURN) return false;
  let line = start;
  while (block[line - 1] === SPACE) line -= 1;
  return (
    isAt(block, line - DATA.length, DATA) &&
    (line === DATA.length || block[line - DATA.length - 1] === LINE_FEED)
  );
}

/** Is this quoted word the value of a member `type`? Elsewhere it is somebody's text. */
function namesType(block: Buffer, word: Buffer): boolean {
  for (let at = block.indexOf(word); at >= 0; at = block.indexOf(word, at + 1)) {
    let end = at;
    while (block[end - 1] === SPACE || block[end - 1] === COLON) end -= 1;
    if (end < at && isAt(block, end - TYPE.length, TYPE)) return true;
  }
  return false;
}

function isAt(block: Buffer, start: number, word: Buffer): boolean {
  return start >= 0 && block.compare(word, 0, word.length, start, start + word.length) === 0;
}

/** Is there a `usage` object? Some servers write `"usage":null` into every chunk, which is not worth parsing. */
function namesUsage(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(USAGE); at >= 0; at = bytes.indexOf(USAGE, at + 1)) {
    let value = at + USAGE.length;
    while (bytes[value] === SPACE || bytes[value] === COLON) value += 1;
    if (bytes[value] === OPEN_BRACE) return true;
  }
  return false;
}

/** Offset behind the last empty line; 0 if there is none. `from`: what lies before has been searched. */
function endOfLastEvent(bytes: Buffer, from: number): number {
  const searchedFrom = Math.max(1, from - 2);
  for (let at = bytes.length - 1; at >= searchedFrom; at -= 1) {
    at = bytes.lastIndexOf(LINE_FEED, at);
    if (at < searchedFrom) return 0;
    if (endsEvent(bytes, at)) return at + 1;
  }
  return 0;
}

export function endOfFirstEvent(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LINE_FEED, from); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
    if (at > from && endsEvent(bytes, at)) return at + 1;
  }
  return bytes.length;
}

/** Is the line feed at this place the end of an empty line? */
function endsEvent(bytes: Buffer, at: number): boolean {
  const before = bytes[at - 1];
  return before === LINE_FEED || (before === CARRIAGE_RETURN && bytes[at - 2] === LINE_FEED);
}

/** Where the value of the event's only `data:` line lies. JSON servers write one such line. */
export function dataOf(event: Buffer): { start: number; end: number } | undefined {
  let lineStart = 0;
  while (lineStart < event.length) {
    let lineEnd = event.indexOf(LINE_FEED, lineStart);
    if (lineEnd < 0) lineEnd = event.length;
    if (event.subarray(lineStart, lineStart + DATA.length).equals(DATA)) {
      const start = lineStart + DATA.length;
      return { start, end: event[lineEnd - 1] === CARRIAGE_RETURN ? lineEnd - 1 : lineEnd };
    }
    lineStart = lineEnd + 1;
  }
  return undefined;
}

/** A chunk of an answer has choices; an event with nothing but an error is the server giving up. */
function isFailure(json: Buffer): boolean {
  const event = parse(json);
  return typeof event?.error === 'object' && event.error !== null && event.choices === undefined;
}

function parse(json: Buffer): Record<string, unknown> | undefined {
  try {
    return JSON.parse(json.toString('utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
