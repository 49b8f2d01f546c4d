/** POST /v1/chat/completions */
import { type Answer, json } from './answer.ts';
import { streamChat } from './chat-stream.ts';
import { documentOf, type Generation, toolOf } from './generation.ts';
import { type Engine, type Inquiry, say, usageOf } from './inquiry.ts';
import { type Fields, isFields } from './json.ts';
import { chatLogprobs } from './logprobs.ts';
import { serverName } from './reply.ts';
import { choiceCount } from './stream-options.ts';

export function chat(inquiry: Inquiry, engine: Engine): Answer {
  const { fields } = inquiry;
  const generation = say(inquiry, engine, {
    text: documentOf(fields.response_format),
    tool: isToolResult(fields) ? undefined : toolOf(fields),
  });
  return fields.stream === true
    ? streamChat(inquiry, generation, engine)
    : wholeChat(inquiry, generation, engine);
}

/** A model that got what it asked its tool for answers in words. */
function isToolResult({ messages }: Fields): boolean {
  const last = Array.isArray(messages) ? messages.at(-1) : undefined;
  return isFields(last) && last.role === 'tool';
}

function wholeChat(inquiry: Inquiry, generation: Generation, engine: Engine): Answer {
  const { model, promptTokens, cachedTokens } = inquiry;
  const count = choiceCount(inquiry);
  const outputTokens = count * generation.pieces.length;
  const rest = choiceRest(inquiry, generation, engine);
  let choices = '';
  for (let index = 0; index < count; index++) choices += `${index === 0 ? '' : ','}{"index":${index},${rest}`;
  const usage = usageOf(promptTokens, outputTokens, cachedTokens);
  return json(
    `{"id":"${engine.id('chatcmpl-')}","object":"chat.completion","created":${engine.created()},"model":${JSON.stringify(model)},"choices":[${choices}],"service_tier":null,"system_fingerprint":"${serverName}","usage":${usage},"prompt_logprobs":null,"kv_transfer_params":null}`,
    { promptTokens, outputTokens, steps: generation.pieces.length },
  );
}

function choiceRest({ fields }: Inquiry, generation: Generation, engine: Engine): string {
  const { tool, encodedText, finishReason, stopReason } = generation;
  const logprobs =
    fields.logprobs === true ? JSON.stringify(chatLogprobs(generation, fields.top_logprobs)) : 'null';
  const content = tool === null ? encodedText : 'null';
  const calls =
    tool === null
      ? ''
      : `,"tool_calls":[{"id":"${engine.id('chatcmpl-tool-')}","type":"function","function":{"name":${JSON.stringify(tool)},"arguments":${encodedText}}}]`;
  return `"message":{"role":"assistant","content":${content},"refusal":null,"annotations":null,"audio":null,"function_call":null${calls},"reasoning":null},"logprobs":${logprobs},"finish_reason":"${finishReason}","stop_reason":${JSON.stringify(stopReason)},"token_ids":null}`;
}
