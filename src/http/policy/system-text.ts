import { type Refusal, refusal } from '../../core/errors.ts';
import { endOfValue } from '../../core/json-walk.ts';
import type { BodyDraft } from '../body-draft.ts';
import type { Endpoint } from '../endpoints.ts';

const BLANK_LINE = '\n\n';

/**
 * Puts a text in front of the prompt. The shape of the body has been checked as far as `checkBody` does.
 * @param addedBytesMax what the text may add to a request with many prompts
 * @returns why the request cannot take it; then the draft is not to be used
 */
export function addSystemText(
  draft: BodyDraft,
  endpoint: Endpoint,
  text: string,
  addedBytesMax: number,
): Refusal | undefined {
  switch (endpoint.path) {
    case '/v1/chat/completions':
      return addToMessages(draft, text);
    case '/v1/responses':
      return addToInstructions(draft, text);
    case '/v1/completions':
      return addToPrompts(draft, text, addedBytesMax);
    default:
      return undefined;
  }
}

/** One system message: many chat templates refuse a second one. */
function addToMessages(draft: BodyDraft, text: string): undefined {
  const [first] = draft.value.messages as readonly Record<string, unknown>[];
  const { role, content } = first ?? {};
  const isSystem = role === 'system' || role === 'developer';
  if (isSystem && typeof content === 'string') {
    draft.replaceFirst('messages', { ...first, content: inFront(text, content) }, endOfValue);
  } else if (isSystem && Array.isArray(content)) {
    const parts = [{ type: 'text', text }, ...content];
    draft.replaceFirst('messages', { ...first, content: parts }, endOfValue);
  } else {
    draft.putInFront('messages', { role: 'system', content: text });
  }
}

function addToInstructions(draft: BodyDraft, text: string): Refusal | undefined {
  const given = draft.value.instructions ?? '';
  if (typeof given !== 'string') {
    const message = "'instructions' must be of type string.";
    return refusal('invalid_parameter', message, { param: 'instructions' });
  }
  draft.set('instructions', inFront(text, given));
  return undefined;
}

function addToPrompts(draft: BodyDraft, text: string, addedBytesMax: number): Refusal | undefined {
  const { prompt, prompt_embeds: embeds } = draft.value;
  if (embeds !== undefined && embeds !== null) return notText('prompt_embeds');
  if (typeof prompt === 'string') {
    draft.set('prompt', inFront(text, prompt));
    return undefined;
  }
  if (!Array.isArray(prompt) || !prompt.every((one) => typeof one === 'string')) return notText('prompt');
  const addedBytes = prompt.length * (Buffer.byteLength(JSON.stringify(text)) + BLANK_LINE.length);
  if (addedBytes > addedBytesMax) {
    const message = `The text that is put in front of each of the ${prompt.length} prompts would make the request larger than allowed. Send fewer prompts at once.`;
    return refusal('request_too_large', message, { param: 'prompt' });
  }
  const prompts = prompt.map((one) => inFront(text, one));
  draft.set('prompt', prompts);
  return undefined;
}

function inFront(text: string, theirs: string): string {
  return theirs === '' ? text : text + BLANK_LINE + theirs;
}

/** A text cannot be put in front of tokens without the tokenizer of the model. */
function notText(param: string): Refusal {
  return refusal('unsupported_parameter', `'${param}' must be text for this key.`, { param });
}
