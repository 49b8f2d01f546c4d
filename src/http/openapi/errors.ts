/** How errors stand in the documents: one format, and for each status the codes that may come with it. */
import { type ErrorName, errorTable } from '../../core/errors.ts';
import { headersOf } from './headers.ts';
import { ref, type Schema, text } from './schema.ts';

export function errorSchema(names: readonly ErrorName[]): Schema {
  const codes = [...new Set(names.map((name) => errorTable[name].code))].sort();
  const types = [...new Set([...names.map((name) => errorTable[name].type), 'tokens'])].sort();
  const error = {
    type: 'object',
    properties: {
      message: text('For people; its wording may change.'),
      type: { enum: types, description: "OpenAI's class of the error." },
      param: { type: ['string', 'null'], description: 'The field or header that it is about.' },
      code: { enum: codes, description: codesTable(names) },
    },
    required: ['message', 'type', 'param', 'code'],
    additionalProperties: false,
  };
  return {
    type: 'object',
    description: "OpenAI's format, on every route and for every status.",
    properties: { error },
    required: ['error'],
    additionalProperties: false,
  };
}

function codesTable(names: readonly ErrorName[]): string {
  const rows = names
    .map((name) => errorTable[name])
    .toSorted((one, other) => one.status - other.status || (one.code < other.code ? -1 : 1))
    .map(({ status, code, retryable, meaning }) => {
      return `| ${status} | \`${code}\` | ${retryable ? 'yes' : 'no'} | ${meaning} |`;
    });
  return ['| status | code | worth a retry | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

export function errorExamples(names: readonly ErrorName[]): Readonly<Record<string, Schema>> {
  return Object.fromEntries(
    names.map((name) => {
      const { meaning, type, code } = errorTable[name];
      return [name, { summary: code, value: { error: { message: meaning, type, param: null, code } } }];
    }),
  );
}

/** One answer for each status of these errors. */
export function errorAnswers(
  names: readonly ErrorName[],
  headers: readonly string[],
): Readonly<Record<string, Schema>> {
  const byStatus = Map.groupBy(names, (name) => errorTable[name].status);
  return Object.fromEntries(
    [...byStatus]
      .toSorted(([one], [other]) => one - other)
      .map(([status, ofStatus]) => {
        const lines = ofStatus.map((name) => `\`${errorTable[name].code}\`: ${errorTable[name].meaning}`);
        const examples = ofStatus.map((name) => [name, { $ref: `#/components/examples/${name}` }]);
        const answer = {
          description: lines.join('\n\n'),
          headers: headersOf([...headers, ...headersOfStatus(status)]),
          content: { 'application/json': { schema: ref('Error'), examples: Object.fromEntries(examples) } },
        };
        return [String(status), answer];
      }),
  );
}

function headersOfStatus(status: number): readonly string[] {
  if (status === 401) return ['www-authenticate'];
  if (status === 405) return ['allow'];
  return status === 409 || status === 429 || status === 503 ? ['retry-after', 'retry-after-ms'] : [];
}
