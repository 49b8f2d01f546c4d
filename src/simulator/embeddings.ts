/** POST /v1/embeddings: the same text, the same unit vector. */
import { type Answer, json } from './answer.ts';
import { type Engine, type Inquiry, usageOf } from './inquiry.ts';
import { wholeOf } from './json.ts';

const DIMENSIONS = 64;
const DIMENSIONS_MAX = 8_192;

export function embeddings(inquiry: Inquiry, engine: Engine): Answer {
  const { fields, model, promptTokens } = inquiry;
  const dimensions = Math.min(wholeOf(fields.dimensions, 1) ?? DIMENSIONS, DIMENSIONS_MAX);
  const data = inputsOf(fields.input).map((input, index) => {
    const vector = vectorOf(JSON.stringify(input), dimensions);
    const embedding =
      fields.encoding_format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector];
    return { index, object: 'embedding', embedding };
  });
  return json(
    `{"id":"${engine.id('embd-')}","object":"list","created":${engine.created()},"model":${JSON.stringify(model)},"data":${JSON.stringify(data)},"usage":${usageOf(promptTokens, 0)}}`,
    { promptTokens },
  );
}

/** One text, several, one list of token ids, or several such lists. */
function inputsOf(input: unknown): readonly unknown[] {
  return Array.isArray(input) && typeof input[0] !== 'number' ? input : [input];
}

function vectorOf(text: string, dimensions: number): Float32Array {
  let seed = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    seed = Math.imul(seed ^ text.charCodeAt(index), 0x01000193);
  const vector = new Float32Array(dimensions);
  let squares = 0;
  for (let index = 0; index < dimensions; index++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
    const value = seed / 2 ** 31;
    vector[index] = value;
    squares += value * value;
  }
  const norm = Math.sqrt(squares) || 1;
  return vector.map((value) => value / norm);
}
