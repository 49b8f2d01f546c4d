/** What a request asks the model to read, whatever the route, and what that counts. */
import { type Fields, isFields } from './json.ts';

const BYTES_PER_TOKEN = 4;
export const IMAGE_TOKENS = 256;

const promptFields = [
  ...['messages', 'prompt', 'input', 'instructions', 'query', 'documents', 'text_1', 'text_2', 'input_data'],
] as const;

export interface Prompt {
  readonly texts: readonly string[];
  readonly tokens: number;
}

export function promptOf(fields: Fields): Prompt {
  const found: Found = { texts: [], images: 0, numbers: 0 };
  for (const name of promptFields) {
    const value = fields[name];
    if (value !== undefined) collect(value, found, 0);
  }
  let bytes = 0;
  for (const text of found.texts) bytes += Buffer.byteLength(text);
  if (Array.isArray(fields.tools)) bytes += Buffer.byteLength(JSON.stringify(fields.tools));
  return { texts: found.texts, tokens: tokensOfBytes(bytes) + found.images * IMAGE_TOKENS + found.numbers };
}

/** About what a tokenizer makes of Latin text; at least 1. */
export function tokensOfBytes(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / BYTES_PER_TOKEN));
}

interface Found {
  texts: string[];
  images: number;
  /** Prompts may come as token ids. */
  numbers: number;
}

const DEPTH_MAX = 16;

function collect(value: unknown, into: Found, depth: number): void {
  if (typeof value === 'string') into.texts.push(value);
  else if (typeof value === 'number') into.numbers++;
  else if (depth < DEPTH_MAX) {
    if (Array.isArray(value)) for (const item of value) collect(item, into, depth + 1);
    else if (isFields(value)) collectPart(value, into, depth + 1);
  }
}

/** A message (`content`), a part of one (`text`, an image), or a document (`text`). */
function collectPart(part: Fields, into: Found, depth: number): void {
  if (part.type === 'image_url' || part.type === 'input_image') into.images++;
  else if (typeof part.text === 'string') into.texts.push(part.text);
  else if (part.content !== undefined) collect(part.content, into, depth);
}
