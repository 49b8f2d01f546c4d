/**
 * Which requests should meet the same KV cache? What tells them apart becomes one number, the hash that
 * `chooseByAffinity` ranks by. In this order:
 *
 * 1. A session header. The caller knows best.
 * 2. `prompt_cache_key`, OpenAI's field for just this. Not `user` or `safety_identifier`: they name a person, whose
 *    prompts need not have anything in common, and who would be tied to one server.
 * 3. The beginning of the prompt: tools, system text and the first message of the user. Later turns of a conversation
 *    repeat it letter by letter, and other conversations with the same long system text share it. Tools and system
 *    text may fill only a part of what is looked at, so that the user's message always has a say: otherwise all
 *    conversations of an application would have one hash, run over the bound of its server, and be sent to and fro.
 *
 * What stands in the prompt before some 64 characters are together is not worth a warm cache (servers keep it in
 * blocks of 16 tokens or more), and "Hi" would send everyone's small talk to one server. So a short first message is
 * read together with those behind it; if there are none yet there is no hash, and the least loaded server is taken.
 *
 * The cost is bounded by the characters looked at, whatever the size of the body.
 */
import { HASH_START, hashText, mixBits } from './text-hash.ts';

type Fields = Readonly<Record<string, unknown>>;

const SESSION_PATTERN = /^[\x21-\x7e]{1,128}$/;
const CACHE_KEY_CHARACTERS_MAX = 1_024;
/** Where tools, and where system text, end at the latest, in characters from the beginning of all. */
const TOOLS_END = 256;
const SYSTEM_END = 768;
const MESSAGE_CHARACTERS_MAX = 256;
const CHARACTERS_MIN = 64;
const MESSAGES_MAX = 32;
const MEDIA_END_CHARACTERS = 32;

/** Of tools and of parts of messages. By name: to list the members of an object that has 100,000 takes 30 ms. */
const readFields = [
  'type',
  'name',
  'function',
  'description',
  'text',
  'image_url',
  'input_audio',
  'url',
  'data',
];

/**
 * @param body has passed `checkBody`; its other fields may be anything
 * @param headers as Node gives them: names in lower case, repeated ones joined with a comma and a blank
 * @param sessionHeaders in lower case, the first that is usable counts
 * @returns 32 bits, unsigned; undefined where nothing tells conversations apart
 */
export function affinityHash(
  path: string,
  body: Fields,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  sessionHeaders: readonly string[],
): number | undefined {
  for (const name of sessionHeaders) {
    const value = headers[name];
    if (typeof value === 'string' && SESSION_PATTERN.test(value)) return hashOfName(value);
  }
  const cacheKey = body.prompt_cache_key;
  if (typeof cacheKey === 'string' && cacheKey.length > 0) return hashOfName(cacheKey);
  return new Beginning().read(path, body);
}

function hashOfName(name: string): number {
  return mixBits(hashText(HASH_START, name, CACHE_KEY_CHARACTERS_MAX));
}

/** Reads a prompt in the order in which chat templates put it, until enough of it is known. */
class Beginning {
  #hash = HASH_START;
  /** Characters read so far. Whatever is visited counts as one at least, so that hostile shapes end as well. */
  #read = 0;
  /** Where the part that is being read must end. */
  #end = 0;

  read(path: string, body: Fields): number | undefined {
    switch (path) {
      case '/v1/chat/completions':
        this.#part(body.tools, TOOLS_END);
        this.#messages(body.messages);
        break;
      case '/v1/responses':
        this.#part(body.tools, TOOLS_END);
        this.#part(body.instructions, SYSTEM_END);
        this.#messages(body.input);
        break;
      case '/v1/completions':
        // Whoever keeps a conversation in it makes it grow: only what has been there from the first turn.
        this.#part(body.prompt, MESSAGE_CHARACTERS_MAX);
        break;
      // The others generate nothing and leave nothing in a cache that is worth finding.
    }
    return this.#read < CHARACTERS_MIN ? undefined : mixBits(this.#hash);
  }

  #messages(messages: unknown): void {
    if (!Array.isArray(messages)) return this.#part(messages, this.#read + MESSAGE_CHARACTERS_MAX);
    for (const message of messages.slice(0, MESSAGES_MAX)) {
      if (typeof message !== 'object' || message === null) continue;
      const { role, content } = message as Fields;
      if (role === 'system' || role === 'developer') {
        this.#part(content, SYSTEM_END);
        continue;
      }
      this.#part(content, this.#read + MESSAGE_CHARACTERS_MAX);
      if (this.#read >= CHARACTERS_MIN) return;
    }
  }

  /** @param end in characters from the beginning of all */
  #part(value: unknown, end: number): void {
    if (value === undefined || value === null) return;
    this.#end = end;
    this.#value(value);
  }

  #value(value: unknown): void {
    if (this.#read >= this.#end) return;
    if (typeof value === 'string') return this.#text(value);
    if (typeof value !== 'object' || value === null) return this.#absorb(String(value));
    this.#read += 1;
    if (Array.isArray(value)) this.#elements(value);
    else this.#members(value as Fields);
  }

  #elements(values: readonly unknown[]): void {
    for (const value of values) {
      if (this.#read >= this.#end) return;
      this.#value(value);
    }
  }

  #members(fields: Fields): void {
    for (const name of readFields) {
      if (this.#read >= this.#end) return;
      const value = fields[name];
      if (value !== undefined) this.#value(value);
    }
  }

  #text(text: string): void {
    if (!text.startsWith('data:')) return this.#absorb(text);
    // All photographs of one camera begin alike: of media, length and end tell more.
    this.#absorb(String(text.length));
    this.#absorb(text.slice(-MEDIA_END_CHARACTERS));
  }

  #absorb(text: string): void {
    const charactersMax = Math.max(0, this.#end - this.#read);
    this.#hash = hashText(this.#hash, text, charactersMax);
    // A mark between two texts, so that "ab", "c" is not "a", "bc".
    this.#hash = hashText(this.#hash, '\0', 1);
    this.#read += Math.min(text.length, charactersMax) + 1;
  }
}
