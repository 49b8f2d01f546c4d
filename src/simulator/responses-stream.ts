/** The events of a streamed response, numbered in order. */
import type { Stream } from './answer.ts';
import type { Generation } from './generation.ts';
import type { Inquiry } from './inquiry.ts';
import { type ItemOf, type ResponseOf, statusOf } from './response-object.ts';

export function streamResponses(
  { promptTokens }: Inquiry,
  generation: Generation,
  item: ItemOf,
  response: ResponseOf,
): Stream {
  const { pieces, text, tool } = generation;
  const status = statusOf(generation);
  const begun = item('in_progress', '');
  const done = item(status);
  const at = { item_id: begun.id, output_index: 0 };
  const inMessage = { ...at, content_index: 0 };
  const part = (said: string) => ({ type: 'output_text', text: said, annotations: [], logprobs: [] });

  const before = [
    event('response.created', 0, { response: response('in_progress', []) }),
    event('response.in_progress', 1, { response: response('in_progress', []) }),
    event('response.output_item.added', 2, { output_index: 0, item: begun }),
  ];
  if (tool === null) before.push(event('response.content_part.added', 3, { ...inMessage, part: part('') }));

  const ahead = before.length;
  const behind = ahead + pieces.length;
  const after =
    tool === null
      ? [
          event('response.output_text.done', behind, { ...inMessage, text, logprobs: [] }),
          event('response.content_part.done', behind + 1, { ...inMessage, part: part(text) }),
        ]
      : [event('response.function_call_arguments.done', behind, { ...at, name: tool, arguments: text })];
  const last = behind + after.length;
  after.push(
    event('response.output_item.done', last, { output_index: 0, item: done }),
    event('response.completed', last + 1, { response: response(status, [done]) }),
  );

  return {
    kind: 'stream',
    promptTokens,
    outputTokens: pieces.length,
    steps: pieces.length,
    opening: before.join(''),
    frame: (step) =>
      tool === null
        ? event('response.output_text.delta', ahead + step, {
            ...inMessage,
            delta: pieces[step],
            logprobs: [],
          })
        : event('response.function_call_arguments.delta', ahead + step, { ...at, delta: pieces[step] }),
    closing: after.join(''),
  };
}

function event(type: string, sequenceNumber: number, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequenceNumber, ...fields })}\n\n`;
}
