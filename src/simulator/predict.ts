/** POST /predict: a plain model server, as people write one in an afternoon. */
import { type Answer, json } from './answer.ts';
import type { Inquiry } from './inquiry.ts';
import { refused } from './refusals.ts';

export function predict({ fields, promptTokens }: Inquiry): Answer {
  if (fields.input_data === undefined) return refused(422, 'ValueError', 'input_data is required');
  const prediction = Array.isArray(fields.input_data)
    ? fields.input_data.map(() => 'simulated')
    : 'This is a simulated answer.';
  return json(JSON.stringify({ prediction, simulated: true }), { promptTokens });
}
