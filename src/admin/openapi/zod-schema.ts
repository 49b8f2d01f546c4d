/** The schemas that hold the requests of the admin API, as JSON Schema. */
import type { FastifySchema } from 'fastify';
import { z } from 'zod';
import { dispatchedAlternatives } from '../../config/dispatched.ts';
import type { Content, Parameter } from '../../http/openapi/document.ts';
import type { Schema } from '../../http/openapi/schema.ts';

/** What a request may hold, before defaults are filled in. Rules that JSON Schema has no words for are left out. */
export function jsonSchema(schema: z.ZodType): Schema {
  const made = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema: json }) {
      const alternatives = dispatchedAlternatives(zodSchema);
      if (alternatives)
        json.anyOf = alternatives.map((one) => jsonSchema(one) as z.core.JSONSchema.BaseSchema);
    },
  });
  const { $schema, ...rest } = made;
  return rest;
}

/** Of a route: what it takes in its path and its query. */
export function parametersOf(schema: FastifySchema | undefined): Parameter[] {
  return [
    ...fieldsOf(schema?.params).map((field) => ({ ...field, in: 'path', required: true }) as const),
    ...fieldsOf(schema?.querystring).map((field) => ({ ...field, in: 'query' }) as const),
  ];
}

/** By media type. */
export function contentOf(schema: FastifySchema | undefined): Readonly<Record<string, Content>> | undefined {
  const body = schema?.body;
  if (body instanceof z.ZodType) return { 'application/json': { schema: jsonSchema(body) } };
  const { content } = Object(body) as { content?: Readonly<Record<string, { readonly schema: z.ZodType }>> };
  if (!content) return undefined;
  return Object.fromEntries(
    Object.entries(content).map(([type, { schema }]) => [type, { schema: jsonSchema(schema) }]),
  );
}

/** Nothing but `{}` would be taken as well as nothing at all. */
export function isBodyRequired(schema: FastifySchema | undefined): boolean {
  return !(schema?.body instanceof z.ZodType && schema.body.safeParse(undefined).success);
}

function fieldsOf(schema: unknown): Omit<Parameter, 'in'>[] {
  if (!(schema instanceof z.ZodType)) return [];
  const { properties = {}, required = [] } = jsonSchema(schema) as {
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    ...(typeof description === 'string' && { description }),
    required: required.includes(name),
    schema: rest,
  }));
}
