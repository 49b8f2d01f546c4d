/** What the model says: pieces (tokens) of words, of a JSON document, or of a tool's arguments. */
import { type Fields, isFields, listOf, stringOf, wholeOf } from './json.ts';
import { type Prose, type ProseOf, proseOf } from './prose.ts';
import { sampleOf } from './sample.ts';

export interface Generation extends Prose {
  readonly finishReason: 'stop' | 'length' | 'tool_calls';
  /** The stop sequence that ended it. */
  readonly stopReason: string | null;
  /** Name of the tool whose arguments the pieces are. */
  readonly tool: string | null;
}

export interface Wish {
  /** Tokens that the model would say if nothing limited it. */
  readonly length: number;
  /** Tokens after which it is cut off. */
  readonly limit: number;
  readonly stop: readonly string[];
  /** Instead of prose. */
  readonly text: string | undefined;
  readonly tool: Tool | undefined;
}

export interface Tool {
  readonly name: string;
  readonly parameters: unknown;
}

export function generate(wish: Wish, prose: ProseOf): Generation {
  if (wish.tool) {
    const said = limited(split(JSON.stringify(sampleOf(wish.tool.parameters))), wish.limit);
    const whole = said.pieces.length < wish.limit;
    return { ...said, finishReason: whole ? 'tool_calls' : 'length', stopReason: null, tool: wish.tool.name };
  }
  const { text } = wish;
  const plain = text === undefined;
  const said = plain ? prose(Math.min(wish.length, wish.limit)) : limited(split(text), wish.limit);
  const cutOff = plain ? wish.limit < wish.length : said.pieces.length >= wish.limit;
  const finishReason = cutOff ? 'length' : 'stop';
  return stopped(said, wish.stop) ?? { ...said, finishReason, stopReason: null, tool: null };
}

/** Words with the space before them, long ones in parts of eight characters. */
function split(text: string): readonly string[] {
  return text.match(/\s?[^\s]{1,8}|\s/gu) ?? [];
}

function limited(pieces: readonly string[], limit: number): Prose {
  return proseOf(pieces.length > limit ? pieces.slice(0, limit) : pieces);
}

/** Ends before the first stop sequence, if one occurs; the token that holds it counts as far as it is shown. */
function stopped(said: Prose, stop: readonly string[]): Generation | undefined {
  let end = -1;
  let reason = '';
  for (const sequence of stop) {
    const at = sequence === '' ? -1 : said.text.indexOf(sequence);
    if (at < 0 || (end >= 0 && at >= end)) continue;
    end = at;
    reason = sequence;
  }
  if (end < 0) return undefined;
  const pieces: string[] = [];
  for (let length = 0, index = 0; length < end; index++) {
    const piece = (said.pieces[index] ?? '').slice(0, end - length);
    pieces.push(piece);
    length += piece.length;
  }
  return { ...proseOf(pieces), finishReason: 'stop', stopReason: reason, tool: null };
}

export function stopOf(fields: Fields): readonly string[] {
  if (typeof fields.stop === 'string') return [fields.stop];
  return listOf(fields.stop).filter((sequence) => typeof sequence === 'string');
}

/** The JSON document that `response_format` (or `text.format`) asks for; undefined for prose. */
export function documentOf(format: unknown): string | undefined {
  if (!isFields(format)) return undefined;
  if (format.type === 'json_object') return '{"simulated":true}';
  if (format.type !== 'json_schema') return undefined;
  const schema = isFields(format.json_schema) ? format.json_schema.schema : format.schema;
  return JSON.stringify(sampleOf(schema));
}

/** The tool that the model calls: the one named by the choice, else the first. */
export function toolOf(fields: Fields): Tool | undefined {
  const choice = fields.tool_choice;
  if (choice === 'none') return undefined;
  const tools = listOf(fields.tools)
    .map(describedTool)
    .filter((tool) => tool !== undefined);
  const named = isFields(choice) ? describedTool(choice)?.name : undefined;
  return tools.find((tool) => tool.name === named) ?? tools[0];
}

/** Chat has the function below `function`, responses have it flat. */
function describedTool(value: unknown): Tool | undefined {
  if (!isFields(value)) return undefined;
  const described = isFields(value.function) ? value.function : value;
  const name = stringOf(described.name);
  return name === undefined ? undefined : { name, parameters: described.parameters };
}

/** `max_completion_tokens`, `max_tokens` or `max_output_tokens`, whichever the request has. */
export function maxTokensOf(fields: Fields): number | undefined {
  return (
    wholeOf(fields.max_completion_tokens, 1) ??
    wholeOf(fields.max_tokens, 1) ??
    wholeOf(fields.max_output_tokens, 1)
  );
}
