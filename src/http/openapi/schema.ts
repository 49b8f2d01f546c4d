/** JSON Schema (2020-12, which OpenAPI 3.1 takes as it is), in a shorthand that the types of the code hold to. */

export type Schema = Readonly<Record<string, unknown>>;

/**
 * An object with the fields of `T`: a field that the type has and the schema has not, or the other way round, does not
 * compile. More fields than these may come with a later version.
 * @param optional fields that may be absent
 */
export function record<T>(
  fields: { readonly [Name in keyof T]-?: Schema },
  { optional = [], ...more }: { readonly optional?: readonly (keyof T & string)[] } & Schema = {},
): Schema {
  const required = Object.keys(fields).filter((name) => !(optional as readonly string[]).includes(name));
  return { type: 'object', properties: fields, ...(required.length > 0 && { required }), ...more };
}

export function ref(component: string): Schema {
  return { $ref: `#/components/schemas/${component}` };
}

export function nullable(schema: Schema, description?: string): Schema {
  const shown = description === undefined ? {} : { description };
  if (typeof schema.type !== 'string' || schema.enum) return { anyOf: [schema, { type: 'null' }], ...shown };
  return { ...schema, type: [schema.type, 'null'], ...shown };
}

export function list(items: Schema, description?: string): Schema {
  return { type: 'array', items, ...(description !== undefined && { description }) };
}

export function oneOf(values: readonly (string | null)[], description?: string): Schema {
  return { enum: values, ...(description !== undefined && { description }) };
}

export function constant(value: string | boolean): Schema {
  return { const: value };
}

/** @param values of any name */
export function mapping(values: Schema, description?: string): Schema {
  return {
    type: 'object',
    additionalProperties: values,
    ...(description !== undefined && { description }),
  };
}

export function text(description?: string, more: Schema = {}): Schema {
  return { type: 'string', ...(description !== undefined && { description }), ...more };
}

/** A whole number, not below zero. */
export function count(description?: string, more: Schema = {}): Schema {
  return { type: 'integer', minimum: 0, ...(description !== undefined && { description }), ...more };
}

export function amount(description?: string): Schema {
  return { type: 'number', minimum: 0, ...(description !== undefined && { description }) };
}

export function flag(description?: string): Schema {
  return { type: 'boolean', ...(description !== undefined && { description }) };
}

/** ISO 8601, UTC. */
export function time(description?: string): Schema {
  return text(description, { format: 'date-time' });
}
