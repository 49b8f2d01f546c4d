/** Turns what the schema objects to into findings that say what was read, what is wanted, and what to do. */
import { z } from 'zod';
import { type Finding, type Path, quoted } from './fault.ts';
import { nearest } from './nearest.ts';
import { configSchema } from './schema.ts';
import { isSecret } from './secrets.ts';
import { valueAt } from './values.ts';

/** As far as it is read here. */
interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly default?: unknown;
  readonly description?: string;
}

type Issue = z.core.$ZodIssue;

/**
 * @param value What was parsed.
 * @param issues What the parser found, made with `unexplained` as its error map.
 * @param variableFor Names the variable that would fill a place.
 */
export function explain(
  value: unknown,
  issues: readonly Issue[],
  variableFor: (path: Path) => string | undefined,
): Finding[] {
  const root = z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema;
  return issues.flatMap((issue) => {
    const path = issue.path.filter((step) => typeof step !== 'symbol');
    const schema = schemaAt(root, path);
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, schema));
    const found = valueAt(value, path);
    if (found === undefined) return [missing(path, schema, variableFor(path))];
    return [misfit(path, issue, schema, found)];
  });
}

/** Marks the issues for which the schema itself has no words. */
export const unexplained = (): string => '';

function unknownKey(path: Path, key: string, schema: JsonSchema): Finding {
  const known = Object.keys(schema.properties ?? {});
  const meant = nearest(key, known);
  const list = known.length > 0 ? `; known here: ${known.join(', ')}` : '';
  return {
    path: [...path, key],
    problem: 'is not a known key',
    remedy: meant ? `did you mean ${quoted(meant)}?` : `remove it${list}`,
  };
}

function missing(path: Path, schema: JsonSchema, variable: string | undefined): Finding {
  const how = variable ? `set the variable ${variable}` : 'add it';
  return { path, problem: 'is missing', remedy: schema.description ? `${how}. ${schema.description}` : how };
}

function misfit(path: Path, issue: Issue, schema: JsonSchema, found: unknown): Finding {
  const shown = isSecret(path) ? 'the value' : show(found);
  if (issue.message !== '') {
    const [rule = '', remedy] = issue.message.split('; ', 2);
    return { path, problem: `${shown} ${rule}`, remedy: remedy ?? schema.description ?? 'correct it' };
  }
  if (issue.code === 'too_small' && issue.origin === 'array') {
    return { path, problem: 'is empty', remedy: 'add at least one entry' };
  }
  const meant = typeof found === 'string' && schema.enum ? nearest(found, schema.enum) : undefined;
  const otherwise =
    schema.default === undefined || typeof schema.default === 'object'
      ? ''
      : `, or leave it out for ${JSON.stringify(schema.default)}`;
  return {
    path,
    problem: `${shown} ${complaint(issue, schema)}`,
    remedy: meant ? `did you mean ${quoted(meant)}?` : `write ${expected(schema)}${otherwise}`,
  };
}

function complaint(issue: Issue, schema: JsonSchema): string {
  if (issue.code === 'too_small') {
    return issue.origin === 'string' ? 'is empty' : `is below ${issue.minimum}`;
  }
  if (issue.code === 'too_big') {
    return issue.origin === 'string' ? `is longer than ${issue.maximum}` : `is above ${issue.maximum}`;
  }
  return `is not ${expected({ ...schema, minimum: undefined, maximum: undefined })}`;
}

function expected({ type, enum: options, minimum, maximum, minLength }: JsonSchema): string {
  if (options) return `one of ${options.join(', ')}`;
  const bounds = minimum === undefined || maximum === undefined ? '' : ` from ${minimum} to ${maximum}`;
  if (type === 'integer') return `a whole number${bounds}`;
  if (type === 'number') return `a number${bounds}`;
  if (type === 'boolean') return 'true or false';
  if (type === 'array') return 'a list';
  if (type === 'object') return 'a mapping of keys to values';
  return minLength ? 'text that is not empty' : 'text';
}

function show(found: unknown): string {
  if (Array.isArray(found)) return 'a list';
  if (typeof found === 'object' && found !== null) return 'a mapping';
  if (typeof found !== 'string') return String(found);
  // An @ may end a password in an address.
  return found.includes('@') ? 'the value' : quoted(found);
}

function schemaAt(root: JsonSchema, path: Path): JsonSchema {
  let schema = root;
  for (const step of path) {
    schema = (typeof step === 'number' ? schema.items : schema.properties?.[step]) ?? {};
  }
  return schema;
}
