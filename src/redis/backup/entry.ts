/** A key, or a piece of a long one, as a line of JSON: what is no UTF-8 stands there as `{"b64": "…"}`. */
import { isUtf8 } from 'node:buffer';

export type EntryType = 'string' | 'hash' | 'set' | 'zset' | 'list' | 'stream';
export type Text = string | Buffer;

export interface Entry {
  /** Of the key, behind `{prefix}:1:`. */
  readonly name: string;
  readonly type: EntryType;
  /** Undefined: never. */
  readonly expiresAtMs: number | undefined;
  /** Goes on with the key of the entry before. */
  readonly isMore: boolean;
  /** Of a string [value], of a hash [field, value], of a sorted set [member, score], of a stream [id, field, value, …]. */
  readonly rows: readonly (readonly Text[])[];
}

const types: ReadonlySet<string> = new Set(['string', 'hash', 'set', 'zset', 'list', 'stream']);

export function encodeEntry({ name, type, expiresAtMs, isMore, rows }: Entry): string {
  return JSON.stringify({
    name,
    type,
    ...(expiresAtMs !== undefined && { expires_at_ms: expiresAtMs }),
    ...(isMore && { more: true }),
    rows: rows.map((row) => row.map(encodeText)),
  });
}

/** @throws when the line is none that `encodeEntry` has written */
export function decodeEntry(value: unknown): Entry {
  const { name, type, expires_at_ms: expiresAtMs, more, rows } = Object(value);
  const isEntry =
    typeof name === 'string' &&
    isEntryType(type) &&
    (expiresAtMs === undefined || Number.isSafeInteger(expiresAtMs)) &&
    Array.isArray(rows);
  if (!isEntry) throw new Error('a line of the backup is no entry');
  return { name, type, expiresAtMs, isMore: more === true, rows: rows.map((row) => row.map(decodeText)) };
}

function isEntryType(type: unknown): type is EntryType {
  return typeof type === 'string' && types.has(type);
}

function encodeText(text: Text): string | { readonly b64: string } {
  if (typeof text === 'string') return text;
  return isUtf8(text) ? text.toString() : { b64: text.toString('base64') };
}

function decodeText(text: unknown): Text {
  return typeof text === 'string' ? text : Buffer.from(String(Object(text).b64), 'base64');
}
