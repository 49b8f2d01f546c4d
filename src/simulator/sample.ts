/** A small value that fits a JSON schema: arguments of a tool call, or an answer that must have a shape. */
import { type Fields, isFields } from './json.ts';

const DEPTH_MAX = 8;
const ITEMS_MAX = 16;

export function sampleOf(schema: unknown): unknown {
  return sample(schema, isFields(schema) ? schema : {}, 0) ?? {};
}

function sample(schema: unknown, root: Fields, depth: number): unknown {
  if (!isFields(schema) || depth > DEPTH_MAX) return null;
  if ('const' in schema) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  if (typeof schema.$ref === 'string') return sample(referred(schema.$ref, root), root, depth + 1);
  const choices = [schema.anyOf, schema.oneOf, schema.allOf].find(Array.isArray);
  if (choices) return sample(choices[0], root, depth + 1);
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === 'object' || isFields(schema.properties)) return sampleObject(schema, root, depth);
  if (type === 'array') {
    const length = Math.min(ITEMS_MAX, numberOr(schema.minItems, 1));
    return Array.from({ length }, () => sample(schema.items, root, depth + 1));
  }
  return sampleScalar(type, schema);
}

function sampleObject(schema: Fields, root: Fields, depth: number): Fields {
  const properties = isFields(schema.properties) ? schema.properties : {};
  return Object.fromEntries(
    Object.entries(properties).map(([name, property]) => [name, sample(property, root, depth + 1)]),
  );
}

function sampleScalar(type: unknown, schema: Fields): unknown {
  if (type === 'string') return 'simulated';
  if (type === 'integer' || type === 'number') return numberOr(schema.minimum, 1);
  if (type === 'boolean') return true;
  return null;
}

function numberOr(value: unknown, fallback: number): number {
  return typeof value === 'number' ? value : fallback;
}

/** Only references inside the document: `#/$defs/name`. */
function referred(reference: string, root: Fields): unknown {
  let at: unknown = root;
  for (const part of reference.split('/').slice(1)) at = isFields(at) ? at[part] : undefined;
  return at;
}
