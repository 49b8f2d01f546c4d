/** Lists as the admin API answers them. */
import { constant, list, nullable, record, type Schema, text } from '../../http/openapi/schema.ts';

/** A page of a list. */
export function pageOf(items: Schema, more: Readonly<Record<string, Schema>> = {}): Schema {
  const properties = {
    object: constant('list'),
    data: list(items),
    ...more,
    next_cursor: nullable(text(), '`cursor` of the next page; null: this is the last one.'),
  };
  return { type: 'object', properties, required: Object.keys(properties) };
}

/** One that is never long. */
export function wholeList(items: Schema): Schema {
  return record<{ object: string; data: unknown }>({ object: constant('list'), data: list(items) });
}
