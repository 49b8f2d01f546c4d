/** An OpenAPI 3.1 document, put together from the routes of a listener and what is said of each. */
import type { ErrorName } from '../../core/errors.ts';
import { errorAnswers, errorExamples, errorSchema } from './errors.ts';
import { headerComponents, headersOf } from './headers.ts';
import { type RegisteredRoute, routeName } from './registered.ts';
import { ref, type Schema } from './schema.ts';

export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'header' | 'path';
  readonly description?: string | undefined;
  readonly required?: boolean;
  readonly schema: Schema;
  readonly example?: unknown;
}

export interface Content {
  readonly schema: Schema;
  /** Has to fit the schema. */
  readonly example?: unknown;
}

export interface Body {
  readonly description?: string;
  readonly required: boolean;
  readonly content: Readonly<Record<string, Content>>;
}

export interface Answer {
  readonly description: string;
  /** By media type; without any the answer has no body. */
  readonly content?: Readonly<Record<string, Content>>;
  /** Names of headers that it may carry, beside those of every answer. */
  readonly headers?: readonly string[];
}

/** What a route's code does not say of itself. */
export interface Operation {
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly body?: Body | undefined;
  /** By status. */
  readonly answers: Readonly<Record<string, Answer>>;
  readonly errors: readonly ErrorName[];
  /** Names of headers that refusals may carry as well. */
  readonly errorHeaders?: readonly string[];
  /** Whoever reaches the listener may call it. */
  readonly isOpen?: boolean;
  /** Beside these fields, such as `x-role`. */
  readonly more?: Schema;
}

export interface OpenApiDocument {
  readonly openapi: '3.1.1';
  readonly info: Schema;
  readonly servers: readonly Schema[];
  readonly security: readonly Schema[];
  readonly tags: readonly Schema[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  readonly components: Readonly<Record<string, Schema>>;
}

export interface DocumentParts {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  readonly servers: readonly Schema[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly security: readonly Schema[];
  readonly securitySchemes: Schema;
  readonly schemas: Readonly<Record<string, Schema>>;
  readonly routes: readonly RegisteredRoute[];
  /** Undefined for a route that nobody has described, which stands in the document all the same. */
  readonly describe: (route: RegisteredRoute) => Operation | undefined;
  readonly errors: {
    /** Of every operation. */
    readonly always: readonly ErrorName[];
    /** Of those with a body. */
    readonly withBody: readonly ErrorName[];
    /** Of requests that are none of the operations. */
    readonly elsewhere: readonly ErrorName[];
  };
  /** Headers of every answer, and of every error beside these. */
  readonly headers: { readonly always: readonly string[]; readonly onErrors: readonly string[] };
}

/** The same parts give the same document, byte for byte. */
export function buildDocument(parts: DocumentParts): OpenApiDocument {
  const { title, version, description, servers, tags, security, securitySchemes, schemas } = parts;
  const paths: Record<string, Record<string, Schema>> = {};
  const shared = new SharedAnswers();
  const errors = new Set<ErrorName>(parts.errors.elsewhere);
  for (const route of parts.routes) {
    const operation = parts.describe(route) ?? undescribed(route);
    const path = documentPath(route.url, operation);
    paths[path] ??= {};
    const names = errorsOf(operation, parts);
    for (const name of names) errors.add(name);
    paths[path][route.method.toLowerCase()] = operationObject(operation, names, parts, shared);
  }
  const license = { name: 'Apache-2.0', identifier: 'Apache-2.0' };
  return {
    openapi: '3.1.1',
    info: { title, version, description, license },
    servers,
    security,
    tags,
    paths,
    components: {
      schemas: { Error: errorSchema([...errors]), ...schemas },
      responses: shared.components,
      headers: headerComponents,
      examples: errorExamples([...errors]),
      securitySchemes,
    },
  };
}

function errorsOf(operation: Operation, { errors }: DocumentParts): ErrorName[] {
  const withBody = operation.body ? errors.withBody : [];
  return [...new Set([...errors.always, ...withBody, ...operation.errors])];
}

function operationObject(
  operation: Operation,
  names: readonly ErrorName[],
  parts: DocumentParts,
  refusals: SharedAnswers,
): Schema {
  const { id, tag, summary, description, parameters = [], body, answers, isOpen = false, more } = operation;
  const { always, onErrors } = parts.headers;
  const ofErrors = [...always, ...onErrors, ...(operation.errorHeaders ?? [])];
  const shown = Object.entries(answers).map(([status, answer]) => {
    const headers = headersOf([...always, ...(answer.headers ?? [])]);
    const { description, content } = answer;
    return [status, { description, headers, ...(content && { content }) }];
  });
  return {
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    operationId: id,
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: body }),
    responses: { ...refusals.refer(errorAnswers(names, ofErrors)), ...Object.fromEntries(shown) },
    ...(isOpen && { security: [] }),
    ...more,
  };
}

/** Refusals that operations have in common stand in the document once. */
class SharedAnswers {
  readonly components: Record<string, Schema> = {};
  readonly #names = new Map<string, string>();

  refer(answers: Readonly<Record<string, Schema>>): Readonly<Record<string, Schema>> {
    return Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => {
        return [status, { $ref: `#/components/responses/${this.#nameOf(status, answer)}` }];
      }),
    );
  }

  #nameOf(status: string, answer: Schema): string {
    const text = JSON.stringify(answer);
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    let name = `Refused${status}`;
    for (let variant = 2; this.components[name]; variant += 1) name = `Refused${status}Variant${variant}`;
    this.#names.set(text, name);
    this.components[name] = answer;
    return name;
  }
}

function undescribed({ method, url }: RegisteredRoute): Operation {
  const parameters = [...url.matchAll(/:(\w+)/g)].map(([, name = '']) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } } as const;
  });
  const summary = routeName({ method, url });
  const id = summary.replaceAll(/[^A-Za-z0-9]+/g, '_');
  return { id, tag: 'Other', summary, parameters, answers: { 200: { description: 'Done.' } }, errors: [] };
}

/** `/v1/jobs/:id` as `/v1/jobs/{id}`; what stands for `*` is the operation's only path parameter. */
function documentPath(url: string, { parameters = [] }: Operation): string {
  const rest = parameters.find((parameter) => parameter.in === 'path')?.name ?? 'path';
  return url.replaceAll(/:(\w+)/g, '{$1}').replace('*', `{${rest}}`);
}

export function json(component: string, example?: unknown): Readonly<Record<string, Content>> {
  return { 'application/json': { schema: ref(component), ...(example !== undefined && { example }) } };
}
