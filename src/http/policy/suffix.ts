import type { Policy } from '../../core/policy.ts';
import type { Principal } from '../../core/principal.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What comes behind the answer, the key's before the tenant's; undefined: nothing. */
export function suffixOf(
  policies: readonly Policy[],
  { tenant }: Principal,
  requestId: string,
  body: Fields,
): string | undefined {
  const text = policies.map(({ suffix_text }) => suffix_text ?? '').join('');
  if (text === '' || wantsJson(body)) return undefined;
  // In one pass: a client may name its request `{tenant}`.
  return text.replace(/\{(tenant|request_id)\}/g, (_, name) => (name === 'tenant' ? tenant : requestId));
}

/** The answer is for a machine, which could not read it with a text behind it. OpenAI's, vLLM's, llama.cpp's names. */
function wantsJson(body: Fields): boolean {
  const { response_format: format, text, structured_outputs: structured } = body;
  return (
    isFormat(format) ||
    isFormat(isObject(text) ? text.format : undefined) ||
    isGiven(body.guided_json) ||
    isGiven(body.json_schema) ||
    (isObject(structured) && (isGiven(structured.json) || isGiven(structured.json_object)))
  );
}

function isFormat(format: unknown): boolean {
  return isObject(format) && isGiven(format.type) && format.type !== 'text';
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}
