/** Streams that are read to their end, or left on the way. */
import { MODEL } from '../../outage/support/load.ts';

export interface StreamRecord {
  readonly id: string;
  readonly status: number;
  readonly text: string;
  /** By its own will. */
  readonly left: boolean;
}

interface Wish {
  readonly id: string;
  readonly url: string;
  readonly key: string;
  readonly prompt: string;
  readonly tokens: number;
  readonly leaveAfterMs: number | undefined;
}

/** Settles when it is over, however that comes about. Status 0: no answer came. */
export async function readStream({
  id,
  url,
  key,
  prompt,
  tokens,
  leaveAfterMs,
}: Wish): Promise<StreamRecord> {
  const leaving = new AbortController();
  const timer = leaveAfterMs === undefined ? undefined : setTimeout(() => leaving.abort(), leaveAfterMs);
  let status = 0;
  let text = '';
  try {
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      signal: leaving.signal,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-request-id': id },
      body: JSON.stringify({
        model: MODEL,
        stream: true,
        max_tokens: tokens,
        messages: [{ role: 'user', content: prompt }],
      }),
    });
    ({ status } = answer);
    const decoder = new TextDecoder();
    for await (const piece of answer.body ?? []) text += decoder.decode(piece, { stream: true });
  } catch {
    // Left, or cut: `text` has what came before.
  }
  clearTimeout(timer);
  return { id, status, text, left: leaving.signal.aborted };
}

export type StreamEnd = 'left' | 'whole' | 'broken' | 'refused';

/** What is wrong with it stands in `fault`. @param tokens of a whole answer */
export function judgeStream(stream: StreamRecord, tokens: number): { end: StreamEnd; fault?: string } {
  if (stream.left) return { end: 'left' };
  if (stream.status !== 200) return { end: 'refused' };
  const events = stream.text.split('\n\n').filter((event) => event.startsWith('data: '));
  const said = events.filter((event) => /"content":"[^"]/.test(event)).length;
  const last = events.at(-1) ?? '';
  if (last === 'data: [DONE]') {
    return said === tokens ? { end: 'whole' } : { end: 'whole', fault: `${said} of ${tokens} tokens` };
  }
  const isError = last.startsWith('data: {"error":') && !stream.text.includes('[DONE]');
  return isError ? { end: 'broken' } : { end: 'broken', fault: `ends with ${last.slice(0, 80)}` };
}
