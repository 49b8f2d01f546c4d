/** The chunks of a chat completion. */
import type { Stream } from './answer.ts';
import type { Generation } from './generation.ts';
import type { Engine, Inquiry } from './inquiry.ts';
import { chatLogprobs } from './logprobs.ts';
import { serverName } from './reply.ts';
import { choiceCount, streamUsage } from './stream-options.ts';

export function streamChat(inquiry: Inquiry, generation: Generation, engine: Engine): Stream {
  const { fields, model, promptTokens } = inquiry;
  const { pieces, finishReason, stopReason } = generation;
  const count = choiceCount(inquiry);
  const outputTokens = count * pieces.length;
  const usage = streamUsage(inquiry);
  const id = engine.id('chatcmpl-');
  const head = `data: {"id":"${id}","object":"chat.completion.chunk","created":${engine.created()},"model":${JSON.stringify(model)},"choices":[`;
  const delta = deltasOf(generation, engine);
  const logprobs =
    fields.logprobs === true ? chatLogprobs(generation, fields.top_logprobs).content : undefined;

  const forEach = (chunk: (index: number) => string): string => {
    let text = chunk(0);
    for (let index = 1; index < count; index++) text += chunk(index);
    return text;
  };
  const ending = `"finish_reason":"${finishReason}","stop_reason":${JSON.stringify(stopReason)}}],"system_fingerprint":"${serverName}"`;
  const lastUsage = usage.last(outputTokens);

  return {
    kind: 'stream',
    promptTokens,
    outputTokens,
    steps: pieces.length,
    opening: forEach(
      (index) =>
        `${head}{"index":${index},"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"system_fingerprint":"${serverName}"${usage.running(0)}}\n\n`,
    ),
    frame(step) {
      const content = logprobs ? `{"content":[${JSON.stringify(logprobs[step])}]}` : 'null';
      const tail = `,"delta":{${delta(step)}},"logprobs":${content},"finish_reason":null}]${usage.running(count * (step + 1))}}\n\n`;
      return forEach((index) => `${head}{"index":${index}${tail}`);
    },
    closing: `${forEach(
      (index) =>
        `${head}{"index":${index},"delta":{},"logprobs":null,${ending}${usage.running(outputTokens)}}\n\n`,
    )}${lastUsage === undefined ? '' : `${head}]${lastUsage}}\n\n`}data: [DONE]\n\n`,
  };
}

/** The first piece of a tool call names it; the arguments follow in pieces. */
function deltasOf({ tool, encoded }: Generation, engine: Engine): (step: number) => string {
  if (tool === null) return (step) => `"content":${encoded[step]}`;
  const id = engine.id('chatcmpl-tool-');
  const opening = `"tool_calls":[{"id":"${id}","type":"function","index":0,"function":{"name":${JSON.stringify(tool)},"arguments":`;
  return (step) =>
    step === 0
      ? `${opening}${encoded[0]}}}]`
      : `"tool_calls":[{"index":0,"function":{"arguments":${encoded[step]}}}]`;
}
