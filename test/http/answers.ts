/** What the GPU servers of these tests say. */
import type { Handler } from '../support/upstream.ts';

export function completion(model: string): string {
  return JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model,
    choices: [{ index: 0, message: { role: 'assistant', content: 'Good day.' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 },
  });
}

/** Answers as the model that it is asked for; a stream if one is wanted. */
export const answerAsAsked: Handler = (_request, response, body) => {
  const { model = 'none', stream } = (body === '' ? {} : JSON.parse(body)) as {
    model?: string;
    stream?: boolean;
  };
  if (!stream) {
    response.setHeader('content-type', 'application/json').end(completion(model));
    return;
  }
  response.setHeader('content-type', 'text/event-stream');
  const chunk = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model };
  const delta = { ...chunk, choices: [{ index: 0, delta: { content: 'Good day.' }, finish_reason: 'stop' }] };
  const usage = { ...chunk, choices: [], usage: { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 } };
  const events = [delta, usage].map((one) => `data: ${JSON.stringify(one)}\n\n`);
  response.end([...events, 'data: [DONE]\n\n'].join(''));
};
