/** The objects of the Responses API. */
import type { Generation } from './generation.ts';
import type { Engine, Inquiry } from './inquiry.ts';
import { type Fields, listOf } from './json.ts';

export type Status = 'in_progress' | 'completed' | 'incomplete';
export type Item = Fields & { readonly id: string };
export type ItemOf = (status: Status, text?: string) => Item;
export type ResponseOf = (status: Status, output: readonly Item[]) => Fields;

export function statusOf({ finishReason }: Generation): Status {
  return finishReason === 'length' ? 'incomplete' : 'completed';
}

/** The one output item: a message, or a call of a function. `text` is what has been said of it so far. */
export function itemOf({ tool, text: said }: Generation, engine: Engine): ItemOf {
  const id = engine.id(tool === null ? 'msg_' : 'fc_');
  if (tool === null) {
    return (status, text = said) => ({
      id,
      type: 'message',
      role: 'assistant',
      status,
      content: text === '' ? [] : [{ type: 'output_text', text, annotations: [], logprobs: null }],
    });
  }
  const callId = engine.id('call_');
  return (status, text = said) => ({
    id,
    type: 'function_call',
    status,
    name: tool,
    call_id: callId,
    arguments: text,
  });
}

export function responseOf(inquiry: Inquiry, generation: Generation, engine: Engine): ResponseOf {
  const { fields, model, promptTokens, cachedTokens } = inquiry;
  const outputTokens = generation.pieces.length;
  const id = engine.id('resp_');
  const createdAt = engine.created();
  const usage = {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: promptTokens + outputTokens,
  };
  return (status, output) => ({
    id,
    object: 'response',
    created_at: createdAt,
    status,
    model,
    output,
    error: null,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    instructions: fields.instructions ?? null,
    metadata: fields.metadata ?? null,
    parallel_tool_calls: true,
    temperature: fields.temperature ?? 1,
    top_p: fields.top_p ?? 1,
    tool_choice: fields.tool_choice ?? 'auto',
    tools: listOf(fields.tools),
    background: false,
    max_output_tokens: fields.max_output_tokens ?? null,
    previous_response_id: null,
    reasoning: null,
    service_tier: 'auto',
    text: fields.text ?? null,
    truncation: 'disabled',
    usage: status === 'in_progress' ? null : usage,
    user: fields.user ?? null,
  });
}
