/** Texts, messages and parts, wherever in a request they stand, counted in units that have a price in tokens. */
import { imagePixels } from './image-size.ts';
import { countText, type TextCounts } from './text-classes.ts';

export interface PromptImage {
  /** Undefined where its header does not tell, and for images by address. */
  readonly pixels: number | undefined;
}

/** 16,384 tokens, beyond which servers scale an image down. */
const MEGAPIXELS_MAX = 12.845;
const UNKNOWN_MEGAPIXELS = 1;

export class PromptCounts implements TextCounts {
  letters = 0;
  cjk = 0;
  code = 0;
  other = 0;
  examined = 0;
  /** Calls that go through a chat template: 1 or 0. */
  template = 0;
  messages = 0;
  /** Texts that are no messages, each with a token at its beginning or end. */
  texts = 0;
  images = 0;
  megapixels = 0;
  /** Characters of the JSON of tools, and of a schema for the answer, which most servers keep out of the prompt. */
  tools = 0;
  schema = 0;
  /** Given as numbers of tokens already. */
  exact = 0;
  /** How many answers one choice means: one for each prompt. */
  prompts = 1;
  /** False where something counts that cannot be seen from here. */
  measurable = true;
  found: PromptImage[] | undefined = undefined;
}

/** A text, tokens, a message, an item, a part, or a list of those. */
export function countContent(counts: PromptCounts, value: unknown): void {
  if (typeof value === 'string') {
    countText(counts, value);
  } else if (typeof value === 'number') {
    counts.exact += 1;
  } else if (Array.isArray(value)) {
    for (const one of value) countContent(counts, one);
  } else if (typeof value === 'object' && value !== null) {
    countPart(counts, value);
  }
}

/** Its type is not asked, because servers go by the field. */
interface Part {
  readonly content?: unknown;
  readonly text?: unknown;
  readonly name?: unknown;
  readonly arguments?: unknown;
  readonly output?: unknown;
  readonly function?: unknown;
  readonly tool_calls?: unknown;
  readonly reasoning_content?: unknown;
  readonly summary?: unknown;
  readonly image_url?: unknown;
  readonly image?: unknown;
  readonly file_id?: unknown;
  readonly file?: unknown;
  readonly input_audio?: unknown;
  readonly audio_url?: unknown;
  readonly video_url?: unknown;
}

function countPart(counts: PromptCounts, part: Part): void {
  if (part.content !== undefined) countContent(counts, part.content);
  if (part.text !== undefined) countContent(counts, part.text);
  if (part.name !== undefined) countContent(counts, part.name);
  if (part.arguments !== undefined) countContent(counts, part.arguments);
  if (part.output !== undefined) countContent(counts, part.output);
  if (part.function !== undefined) countContent(counts, part.function);
  if (part.tool_calls !== undefined) countContent(counts, part.tool_calls);
  if (part.reasoning_content !== undefined) countContent(counts, part.reasoning_content);
  if (part.summary !== undefined) countContent(counts, part.summary);
  const image = part.image_url ?? part.image;
  if (image !== undefined && image !== null) countImage(counts, image);
  else if (isUnseen(part)) counts.measurable = false;
}

function isUnseen(part: Part): boolean {
  return (
    part.file_id !== undefined ||
    part.file !== undefined ||
    part.input_audio !== undefined ||
    part.audio_url !== undefined ||
    part.video_url !== undefined
  );
}

function countImage(counts: PromptCounts, image: unknown): void {
  const url = typeof image === 'object' ? (image as { url?: unknown } | null)?.url : image;
  const pixels = typeof url === 'string' ? imagePixels(url) : undefined;
  if (pixels === undefined) counts.measurable = false;
  counts.images += 1;
  counts.megapixels += Math.min(
    MEGAPIXELS_MAX,
    pixels === undefined ? UNKNOWN_MEGAPIXELS : pixels / 1_000_000,
  );
  counts.found ??= [];
  counts.found.push({ pixels });
}
