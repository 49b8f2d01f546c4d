/** POST /v1/responses */
import { type Answer, json } from './answer.ts';
import { documentOf, toolOf } from './generation.ts';
import { type Engine, type Inquiry, say } from './inquiry.ts';
import { type Fields, isFields, listOf } from './json.ts';
import { itemOf, responseOf, statusOf } from './response-object.ts';
import { streamResponses } from './responses-stream.ts';

export function responses(inquiry: Inquiry, engine: Engine): Answer {
  const { fields } = inquiry;
  const generation = say(inquiry, engine, {
    text: isFields(fields.text) ? documentOf(fields.text.format) : undefined,
    tool: isToolResult(fields) ? undefined : toolOf(fields),
  });
  const item = itemOf(generation, engine);
  const response = responseOf(inquiry, generation, engine);
  if (fields.stream === true) return streamResponses(inquiry, generation, item, response);
  const body = JSON.stringify(response(statusOf(generation), [item(statusOf(generation))]));
  const { length } = generation.pieces;
  return json(body, { promptTokens: inquiry.promptTokens, outputTokens: length, steps: length });
}

function isToolResult({ input }: Fields): boolean {
  const last = listOf(input).at(-1);
  return isFields(last) && last.type === 'function_call_output';
}
