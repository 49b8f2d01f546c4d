/** Holds OpenAPI documents to the standard, and requests and answers to the documents. */
import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

type Json = Readonly<Record<string, unknown>>;

export interface Document extends Json {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Json>>;
    readonly responses: Readonly<Record<string, Answer>>;
  } & Json;
}

interface Operation extends Json {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Contents };
  readonly responses: Readonly<Record<string, Answer>>;
}

interface Answer {
  /** It stands among the components. */
  readonly $ref?: string;
  readonly content?: Contents;
  readonly headers?: Json;
}

type Contents = Readonly<Record<string, { readonly schema: Json; readonly example?: unknown }>>;

const CALENDAR_DAY = /^\d{4}-\d\d-\d\d$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

export async function readDocument(address: string): Promise<Document> {
  const answer = await fetch(address);
  assert.equal(answer.status, 200);
  return (await answer.json()) as Document;
}

export async function assertStandard(document: Document): Promise<void> {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors, undefined, 1));
}

/** `get /v1/jobs/{id}` and so on. */
export function operationsOf(document: Document): (readonly [name: string, operation: Operation])[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method} ${path}`, operation] as const),
  );
}

/** Examples of requests and answers that do not fit their schemas, and how many there are in all. */
export function checkExamples(document: Document): { readonly count: number; readonly misfits: string[] } {
  const compile = compiler(document);
  const misfits: string[] = [];
  let count = 0;
  for (const [name, { requestBody, responses }] of operationsOf(document)) {
    for (const { content = {} } of [requestBody ?? {}, ...Object.values(responses)]) {
      for (const { schema, example } of Object.values(content)) {
        if (example === undefined) continue;
        count += 1;
        const fits = compile(schema);
        if (!fits(example)) misfits.push(`${name}: ${JSON.stringify(fits.errors)}`);
      }
    }
  }
  return { count, misfits };
}

/**
 * An answer has to be one that the document knows, with the body that it says and, but for what comes from a GPU server,
 * without a field that it does not name.
 */
export async function assertDocumented(
  document: Document,
  operation: string,
  answer: Response,
  relayed = false,
): Promise<unknown> {
  const [, described] = operationsOf(document).find(([name]) => name === operation) ?? [];
  assert.ok(described, `${operation} is not documented`);
  const response = resolved(described.responses[String(answer.status)], document);
  assert.ok(response, `${operation} answers ${answer.status}, which is not documented`);
  const type = (answer.headers.get('content-type') ?? '').split(';', 1)[0] ?? '';
  const schema = response.content?.[type]?.schema;
  assert.ok(schema, `${operation} answers ${type}, which is not documented`);
  for (const name of answer.headers.keys()) {
    const isOurs = /^(x-|ratelimit|retry|age$|location$|openai-|server-timing|preference)/.test(name);
    if (isOurs)
      assert.ok(response.headers?.[name], `${operation} answers with ${name}, which is not documented`);
  }
  const text = await answer.text();
  if (type !== 'application/json') return text;
  const body = JSON.parse(text);
  const fits = compiler(relayed ? document : closed(document))(schema);
  assert.ok(
    fits(body),
    `${operation}: ${JSON.stringify(fits.errors, undefined, 1)}\n${text.slice(0, 2_000)}`,
  );
  return body;
}

function resolved(answer: Answer | undefined, { components }: Document): Answer | undefined {
  return answer?.$ref === undefined ? answer : components.responses[answer.$ref.split('/').at(-1) ?? ''];
}

/** One schema by itself. */
export function fitsSchema(schema: Json): (value: unknown) => boolean {
  const fits = newAjv().compile({ ...schema });
  return (value) => fits(value);
}

/** For schemas of this document, whose references lead into it. */
function compiler(document: Document): (schema: Json) => ValidateFunction {
  const ajv = newAjv();
  ajv.addSchema({ $id: 'document', components: { schemas: within(document.components.schemas) } });
  return (schema) => ajv.compile(within(schema));
}

function within<T>(schema: T): T {
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"document#/')) as T;
}

function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addFormat('date-time', INSTANT);
  ajv.addFormat('date', CALENDAR_DAY);
  return ajv;
}

/** Objects have no fields but those that are named. */
function closed<T>(value: T): T {
  if (Array.isArray(value)) return value.map(closed) as T;
  if (typeof value !== 'object' || value === null) return value;
  const inside = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, closed(one)]));
  const isObject = inside.type === 'object' || (Array.isArray(inside.type) && inside.type.includes('object'));
  if (isObject && inside.properties && inside.additionalProperties === undefined) {
    return { ...inside, additionalProperties: false } as T;
  }
  return inside as T;
}
