/** POST /tokenize and /detokenize. A token stands for up to four bytes and its id tells which, so both agree. */
import { type Answer, json } from './answer.ts';
import type { Engine, Inquiry } from './inquiry.ts';
import { listOf } from './json.ts';
import { promptOf } from './prompt.ts';
import { badRequest } from './refusals.ts';

const BYTES_PER_TOKEN = 4;

export function tokenize({ fields, promptTokens }: Inquiry, { settings }: Engine): Answer {
  const bytes = Buffer.from(promptOf(fields).texts.join(''));
  const ids: number[] = [];
  for (let at = 0; at < bytes.length; at += BYTES_PER_TOKEN)
    ids.push(idOf(bytes.subarray(at, at + BYTES_PER_TOKEN)));
  // What has no text (images, tool descriptions) counts too.
  while (ids.length < promptTokens) ids.push(0);
  return json(
    `{"count":${ids.length},"max_model_len":${settings.contextLength},"tokens":${JSON.stringify(ids)},"token_strs":null}`,
  );
}

export function detokenize({ fields }: Inquiry): Answer {
  const bytes: number[] = [];
  for (const id of listOf(fields.tokens)) {
    if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0)
      return badRequest('tokens must be token ids');
    bytes.push(...bytesOf(id));
  }
  return json(JSON.stringify({ prompt: Buffer.from(bytes).toString() }));
}

/** The bytes as a number with a leading 1, so that zero bytes and the length survive. */
function idOf(bytes: Uint8Array): number {
  let id = 1;
  for (const byte of bytes) id = id * 256 + byte;
  return id;
}

function bytesOf(id: number): readonly number[] {
  const bytes: number[] = [];
  for (let left = id; left > 1; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return bytes;
}
