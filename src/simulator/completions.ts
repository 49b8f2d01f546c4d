/** POST /v1/completions: one choice for each prompt and each of `n`. */
import { type Answer, json, type Stream } from './answer.ts';
import { documentOf, type Generation } from './generation.ts';
import { type Engine, type Inquiry, say, usageOf } from './inquiry.ts';
import { wholeOf } from './json.ts';
import { completionLogprobs } from './logprobs.ts';
import { serverName } from './reply.ts';
import { choiceCount, streamUsage } from './stream-options.ts';

export function completions(inquiry: Inquiry, engine: Engine): Answer {
  const generation = say(inquiry, engine, {
    text: documentOf(inquiry.fields.response_format),
    tool: undefined,
  });
  const answer = inquiry.fields.stream === true ? streamed : whole;
  return answer(inquiry, generation, engine);
}

function choicesOf(inquiry: Inquiry): number {
  const { prompt } = inquiry.fields;
  const prompts = Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt.length : 1;
  return prompts * choiceCount(inquiry);
}

function headOf({ model }: Inquiry, engine: Engine): string {
  return `{"id":"${engine.id('cmpl-')}","object":"text_completion","created":${engine.created()},"model":${JSON.stringify(model)},"choices":[`;
}

function whole(inquiry: Inquiry, generation: Generation, engine: Engine): Answer {
  const { promptTokens, cachedTokens, fields } = inquiry;
  const count = choicesOf(inquiry);
  const outputTokens = count * generation.pieces.length;
  const top = wholeOf(fields.logprobs, 0);
  const logprobs = top === undefined ? 'null' : JSON.stringify(completionLogprobs(generation.pieces, top));
  const rest = `,"text":${generation.encodedText},"logprobs":${logprobs},${endOf(generation)},"prompt_logprobs":null}`;
  const choices = Array.from({ length: count }, (_, index) => `{"index":${index}${rest}`);
  return json(
    `${headOf(inquiry, engine)}${choices.join(',')}],"service_tier":null,"system_fingerprint":"${serverName}","usage":${usageOf(promptTokens, outputTokens, cachedTokens)},"kv_transfer_params":null}`,
    { promptTokens, outputTokens, steps: generation.pieces.length },
  );
}

function endOf({ finishReason, stopReason }: Generation): string {
  return `"finish_reason":"${finishReason}","stop_reason":${JSON.stringify(stopReason)}`;
}

function streamed(inquiry: Inquiry, generation: Generation, engine: Engine): Stream {
  const { pieces, encoded } = generation;
  const count = choicesOf(inquiry);
  const outputTokens = count * pieces.length;
  const usage = streamUsage(inquiry);
  const top = wholeOf(inquiry.fields.logprobs, 0);
  const head = `data: ${headOf(inquiry, engine)}`;
  const chunks = (rest: string) => {
    let text = '';
    for (let index = 0; index < count; index++) text += `${head}{"index":${index},${rest}}\n\n`;
    return text;
  };
  let offset = 0;
  const logprobsOf = (step: number) => {
    if (top === undefined) return 'null';
    const piece = pieces.slice(step, step + 1);
    const logprobs = completionLogprobs(piece, top, offset, step);
    offset += piece[0]?.length ?? 0;
    return JSON.stringify(logprobs);
  };
  const lastUsage = usage.last(outputTokens);
  const ending = `"text":"","logprobs":null,${endOf(generation)}}],"system_fingerprint":"${serverName}"${usage.running(outputTokens)}`;
  return {
    kind: 'stream',
    promptTokens: inquiry.promptTokens,
    outputTokens,
    steps: pieces.length,
    opening: '',
    frame: (step) =>
      chunks(
        `"text":${encoded[step]},"logprobs":${logprobsOf(step)},"finish_reason":null,"stop_reason":null}]${usage.running(count * (step + 1))}`,
      ),
    closing: `${chunks(ending)}${lastUsage === undefined ? '' : `${head}]${lastUsage}}\n\n`}data: [DONE]\n\n`,
  };
}
