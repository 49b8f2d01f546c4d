import { splice } from '../core/json-scan.ts';
import { locate } from '../core/json-walk.ts';
import { dataOf } from './sse.ts';
import { behind, callsTools, isCallReason, isObject, parseObject } from './suffix-json.ts';

type Fields = Readonly<Record<string, unknown>>;

/** One choice of the stream so far. */
interface Choice {
  callsTools: boolean;
  ended: boolean;
  readonly isChat: boolean;
}

/**
 * A stream of chat or completions, event by event, with a text behind each choice: as a chunk of its own before the one
 * that ends the choice, or behind the last words where these stand in that one.
 */
export class SuffixedChunks {
  readonly heldBytes = 0;
  readonly #suffix: string;
  readonly #choices = new Map<number, Choice>();
  #newest: Fields = {};

  constructor(suffix: string) {
    this.#suffix = suffix;
  }

  /** Takes a whole event and adds to `out` what the caller is to get. */
  event(event: Buffer, out: Buffer[]): void {
    const data = dataOf(event);
    const json = data && event.subarray(data.start, data.end);
    const chunk = json && parseObject(json);
    if (!chunk || !Array.isArray(chunk.choices)) {
      if (json?.toString('latin1').trim() === '[DONE]') this.#endAll(out);
      out.push(event);
      return;
    }
    this.#newest = chunk;
    const inside = chunk.choices.flatMap((choice, position) =>
      isObject(choice) && this.#endsWithText(choice, out) ? [position] : [],
    );
    if (inside.length === 0) {
      out.push(event);
      return;
    }
    const root = { start: json.indexOf(0x7b), end: json.length };
    const edits = inside.flatMap((position) => {
      const choice = locate(json, root, ['choices', position]);
      const text = choice && (locate(json, choice, ['delta', 'content']) ?? locate(json, choice, ['text']));
      return text ? [behind(text, this.#suffix)] : [];
    });
    out.push(splice(event, [{ ...data, bytes: splice(json, edits) }]));
  }

  flush(): void {}

  /** Does the choice end in this chunk, with words to which the suffix is to be added? If without, it gets a chunk. */
  #endsWithText(given: Fields, out: Buffer[]): boolean {
    const { index, delta, text, finish_reason: reason } = given;
    const number = typeof index === 'number' ? index : 0;
    const known = this.#choices.get(number);
    const choice = known ?? { callsTools: false, ended: false, isChat: isObject(delta) };
    if (!known) this.#choices.set(number, choice);
    if (isObject(delta) && callsTools(delta)) choice.callsTools = true;
    if (typeof reason !== 'string' || reason === '' || choice.ended) return false;
    choice.ended = true;
    if (choice.callsTools || isCallReason(reason)) return false;
    const words = isObject(delta) ? delta.content : text;
    if (typeof words === 'string' && words !== '') return true;
    out.push(this.#chunk(number, choice, known === undefined));
    return false;
  }

  /** A server that ends its stream without ending the choices. */
  #endAll(out: Buffer[]): void {
    for (const [number, choice] of this.#choices) {
      if (!choice.ended && !choice.callsTools) out.push(this.#chunk(number, choice, false));
      choice.ended = true;
    }
  }

  /** @param isFirst of this choice, so that it has to say who speaks */
  #chunk(index: number, { isChat }: Choice, isFirst: boolean): Buffer {
    const { id, object, created, model, system_fingerprint } = this.#newest;
    const text = isChat
      ? { delta: { ...(isFirst && { role: 'assistant' }), content: this.#suffix } }
      : { text: this.#suffix };
    const choices = [{ index, ...text, logprobs: null, finish_reason: null }];
    return Buffer.from(
      `data: ${JSON.stringify({ id, object, created, model, choices, system_fingerprint })}\n\n`,
    );
  }
}
