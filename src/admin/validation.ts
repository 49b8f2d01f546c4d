/** Route schemas are zod's; their faults become refusals that name the field. */
import type { FastifySchemaCompiler, FastifyTypeProvider } from 'fastify';
import type { z } from 'zod';
import { type Refusal, RefusalError, refusal } from '../core/errors.ts';

export interface ZodTypes extends FastifyTypeProvider {
  readonly validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown;
}

/** What others call our fields. */
const otherNames: Readonly<Record<string, string>> = { allowed_ips: 'allowed_addresses' };

export const compileZod: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  return (data: unknown) => {
    // Fastify hands null where there is no body.
    const result = schema.safeParse(data ?? undefined);
    if (result.success) return { value: result.data };
    const [first] = result.error.issues;
    return { error: new RefusalError(httpPart === 'params' ? unknownThing : refusalOf(first, data)) };
  };
};

/** A name in a path that cannot exist does not. */
const unknownThing = refusal('not_found', 'There is nothing under this id or name.');

function refusalOf(issue: z.core.$ZodIssue | undefined, data: unknown): Refusal {
  if (issue === undefined) return refusal('invalid_parameter', 'The request does not fit.');
  const param = pathText(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const field = issue.keys[0]?.slice(0, 64) ?? '';
    const message = Object.hasOwn(otherNames, field)
      ? `${field} is named ${otherNames[field]} here.`
      : `There is no field named ${field}.`;
    return refusal('unsupported_parameter', message, { param: param ? `${param}.${field}` : field });
  }
  if (issue.path.length === 0) return refusal('invalid_parameter', sentence(issue.message));
  if (valueAt(data, issue.path) === undefined) {
    return refusal('missing_parameter', `${param} is missing.`, { param });
  }
  return refusal('invalid_parameter', `${param}: ${sentence(issue.message)}`, { param });
}

/** `models[0].name`, as a person would write it. */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text ? `${text}.${String(step)}` : String(step);
  }, '');
}

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, step) => {
    return value !== null && typeof value === 'object' ? Reflect.get(value, step) : undefined;
  }, data);
}

function sentence(message: string): string {
  return message.endsWith('.') ? message : `${message}.`;
}
