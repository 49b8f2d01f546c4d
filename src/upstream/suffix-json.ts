import { type Edit, type Member, splice } from '../core/json-scan.ts';
import { elementsOf, locate } from '../core/json-walk.ts';
import type { Usage } from '../core/usage.ts';
import type { JsonAnswer } from './json-answer.ts';

/** An answer that takes a suffix is held until it is whole; one that is larger is given up. */
const HELD_BYTES_MAX = 16_777_216;
const NOTHING = Buffer.alloc(0);

type Fields = Readonly<Record<string, unknown>>;

/** A JSON answer on its way through that gets a text behind each of its choices; the other bytes stay as they are. */
export class SuffixedJson {
  /** It is too large to be held, and nobody gets it without its suffix. */
  overflow = false;
  /** What the gateway itself has added, in bytes. */
  addedBytes = 0;
  readonly edited = true;
  readonly #answer: JsonAnswer;
  readonly #suffix: string;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(answer: JsonAnswer, suffix: string) {
    this.#answer = answer;
    this.#suffix = suffix;
  }

  get usage(): Usage | undefined {
    return this.#answer.usage;
  }

  get complete(): boolean {
    return this.#answer.complete;
  }

  whole(bytes: Buffer): Buffer {
    return this.#append(this.#answer.whole(bytes));
  }

  /** Nothing comes out before the end. */
  push(piece: Buffer): Buffer {
    this.#hold(this.#answer.push(piece));
    return NOTHING;
  }

  end(): Buffer | undefined {
    const rest = this.#answer.end();
    if (rest) this.#hold(rest);
    return this.#held.length > 0 ? this.#append(Buffer.concat(this.#held)) : undefined;
  }

  #hold(bytes: Buffer): void {
    this.#heldBytes += bytes.length;
    this.overflow = this.#heldBytes > HELD_BYTES_MAX;
    if (this.overflow) this.#held = [];
    else this.#held.push(bytes);
  }

  #append(bytes: Buffer): Buffer {
    const suffixed = appendToAnswer(bytes, this.#suffix);
    this.addedBytes = suffixed.length - bytes.length;
    return suffixed;
  }
}

/** A whole answer of chat, completions or the Responses API. What is none of these stays as it is. */
export function appendToAnswer(json: Buffer, suffix: string): Buffer {
  const answer = parseObject(json);
  if (!answer) return json;
  const root = { start: json.indexOf(0x7b), end: json.lastIndexOf(0x7d) + 1 };
  const edits = Array.isArray(answer.choices)
    ? choiceEdits(json, root, answer.choices, suffix)
    : responseEdits(json, root, answer, suffix);
  return edits.length > 0 ? splice(json, edits) : json;
}

function choiceEdits(json: Buffer, root: Member, choices: readonly unknown[], suffix: string): Edit[] {
  const list = locate(json, root, ['choices']);
  if (!list) return [];
  const edits: Edit[] = [];
  let index = 0;
  for (const element of elementsOf(json, list)) {
    const choice = choices[index];
    index += 1;
    const path = isObject(choice) ? pathOfText(choice) : undefined;
    const text = path && locate(json, element, path);
    if (text) edits.push(behind(text, suffix));
  }
  return edits;
}

/** Undefined where the choice is no text: calls of tools above all. */
function pathOfText({ message, text, finish_reason: reason }: Fields): readonly string[] | undefined {
  if (isCallReason(reason)) return undefined;
  if (!isObject(message)) return typeof text === 'string' ? ['text'] : undefined;
  return typeof message.content === 'string' && !callsTools(message) ? ['message', 'content'] : undefined;
}

export function isCallReason(reason: unknown): boolean {
  return reason === 'tool_calls' || reason === 'function_call';
}

/** Of a message, or of a piece of one. Servers say `stop` when the client had named the function to be called. */
export function callsTools({ tool_calls: calls, function_call: call }: Fields): boolean {
  return (Array.isArray(calls) && calls.length > 0) || (call !== undefined && call !== null);
}

/**
 * A response has one answer: the last text of its last message. None where it is the client's turn to run functions,
 * or where the answer did not come to an end.
 */
export function responseEdits(json: Buffer, at: Member, response: Fields, suffix: string): Edit[] {
  const { output, status, output_text: all } = response;
  if (!Array.isArray(output) || unended.has(status)) return [];
  const items = output.filter(isObject);
  if (items.length < output.length || items.some(({ type }) => isClientCall(type))) return [];
  const index = items.findLastIndex(({ type }) => type === 'message');
  const part = index >= 0 ? lastText(items[index] as Fields) : -1;
  if (part < 0) return [];
  const paths: (string | number)[][] = [['output', index, 'content', part, 'text']];
  if (typeof all === 'string') paths.push(['output_text']);
  return paths.flatMap((path) => {
    const text = locate(json, at, path);
    return text ? [behind(text, suffix)] : [];
  });
}

const unended: ReadonlySet<unknown> = new Set(['queued', 'in_progress', 'failed', 'cancelled']);

/** Index of the last part of a message that is text; -1 if none is. */
export function lastText({ content }: Fields): number {
  if (!Array.isArray(content)) return -1;
  return content.findLastIndex(
    (part) => isObject(part) && part.type === 'output_text' && typeof part.text === 'string',
  );
}

export function isClientCall(type: unknown): boolean {
  return type === 'function_call' || type === 'custom_tool_call';
}

/** @param text a JSON string */
export function behind({ end }: Member, suffix: string): Edit {
  return { start: end - 1, end: end - 1, bytes: Buffer.from(JSON.stringify(suffix).slice(1, -1)) };
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

export function parseObject(json: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(json.toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
