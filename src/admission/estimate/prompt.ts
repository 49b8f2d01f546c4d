/** What a request gives the model to read, by endpoint. */
import { countContent, PromptCounts } from './prompt-counts.ts';
import { countText } from './text-classes.ts';

/** Of a number, `true`, `false` or `null`, with what stands around it. */
const SCALAR_CHARACTERS = 6;

type Fields = Record<string, unknown>;

/**
 * The depth of the body must be bounded already.
 * @param bytes size of the body: it is all that is known of a request whose shape nobody foresaw
 */
export function countPrompt(body: Fields, bytes: number, endpointPath: string): PromptCounts {
  const counts = new PromptCounts();
  switch (endpointPath) {
    case '/v1/chat/completions':
      countChat(counts, body);
      break;
    case '/v1/completions':
      countPrompts(counts, body.prompt);
      if (typeof body.suffix === 'string') countText(counts, body.suffix);
      break;
    case '/v1/responses':
      countResponses(counts, body);
      break;
    case '/v1/embeddings':
      if (Array.isArray(body.messages)) countChat(counts, body);
      else countPrompts(counts, body.input);
      break;
    case '/v1/rerank':
      countPairs(counts, body.query, body.documents);
      break;
    default:
      countPairs(
        counts,
        body.text_1 ?? body.queries ?? body.data_1,
        body.text_2 ?? body.documents ?? body.data_2,
      );
  }
  if (counts.examined === 0 && counts.exact === 0 && counts.images === 0) {
    counts.code = bytes;
    counts.measurable = false;
  }
  return counts;
}

function countChat(counts: PromptCounts, body: Fields): void {
  counts.template = 1;
  countMessages(counts, body.messages);
  counts.tools = jsonLength(body.tools) + jsonLength(body.functions);
  counts.schema = jsonLength(body.response_format);
}

function countResponses(counts: PromptCounts, body: Fields): void {
  counts.template = 1;
  if (typeof body.instructions === 'string') countMessage(counts, body.instructions);
  if (typeof body.input === 'string') countMessage(counts, body.input);
  else countMessages(counts, body.input);
  counts.tools = jsonLength(body.tools);
  counts.schema = jsonLength(body.text);
  if (typeof body.previous_response_id === 'string') counts.measurable = false;
}

function countMessages(counts: PromptCounts, messages: unknown): void {
  if (!Array.isArray(messages)) return;
  for (const message of messages) countMessage(counts, message);
}

function countMessage(counts: PromptCounts, message: unknown): void {
  counts.messages += 1;
  countContent(counts, message);
}

/** One text, many, one of tokens, or many of those. Servers differ in how they count many. */
function countPrompts(counts: PromptCounts, prompt: unknown): void {
  if (!Array.isArray(prompt) || typeof prompt[0] === 'number') {
    countOne(counts, prompt);
    return;
  }
  for (const one of prompt) countOne(counts, one);
  counts.prompts = Math.max(1, prompt.length);
}

function countOne(counts: PromptCounts, prompt: unknown): void {
  if (typeof prompt === 'string') counts.texts += 1;
  countContent(counts, prompt);
}

/** A model that compares two texts reads both, and so a single one anew with each of the others. */
function countPairs(counts: PromptCounts, first: unknown, second: unknown): void {
  const [few, many] = lengthOf(first) <= lengthOf(second) ? [first, second] : [second, first];
  counts.texts = lengthOf(many);
  countContent(counts, many);
  countTimes(counts, few, lengthOf(few) === 1 ? lengthOf(many) : 1);
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 1;
}

/** The images themselves were given once, however often they are read. */
function countTimes(counts: PromptCounts, value: unknown, times: number): void {
  const once = new PromptCounts();
  countContent(once, value);
  counts.letters += once.letters * times;
  counts.cjk += once.cjk * times;
  counts.code += once.code * times;
  counts.other += once.other * times;
  counts.exact += once.exact * times;
  counts.images += once.images * times;
  counts.megapixels += once.megapixels * times;
  counts.examined += once.examined;
  counts.measurable &&= once.measurable;
  if (once.found) counts.found = [...(counts.found ?? []), ...once.found];
}

/** About the characters of the value as JSON, without writing it. */
function jsonLength(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === 'string') return value.length + 3;
  if (typeof value !== 'object') return SCALAR_CHARACTERS;
  let length = 2;
  if (Array.isArray(value)) {
    for (const one of value) length += jsonLength(one);
  } else {
    for (const name in value) length += name.length + 3 + jsonLength((value as Fields)[name]);
  }
  return length;
}
