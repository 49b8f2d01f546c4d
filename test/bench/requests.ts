/** The bytes that the load consists of, made once: a generator that builds strings would measure itself. */

export const MODEL = 'bench-model';

export type RequestShape = 'chat' | 'large' | 'stream';

const sentence = 'The quick brown fox jumps over the lazy dog, reads the \\"manual\\" and goes home.\\n';

/** A chat completion of exactly `sizeBytes`; the prompt has escapes, as long prompts do. */
function chatBody(sizeBytes: number, stream: boolean): string {
  const head = `{"model":"${MODEL}","messages":[{"role":"system","content":"You are brief."},{"role":"user","content":"`;
  const tail = `"}],"max_tokens":256,"temperature":0.7${stream ? ',"stream":true' : ''}}`;
  const fill = sizeBytes - head.length - tail.length;
  const whole = sentence.repeat(Math.floor(fill / sentence.length));
  return head + whole + 'x'.repeat(fill - whole.length) + tail;
}

const sizesBytes: Readonly<Record<RequestShape, number>> = { chat: 600, large: 1_000_000, stream: 600 };

export interface Destination {
  readonly port: number;
  /** Bearer; the contestants without keys are sent it as well, so that all read the same bytes. */
  readonly key: string;
}

export function requestBytes(shape: RequestShape, destination: Destination): Buffer {
  return bytesOf(destination, chatBody(sizesBytes[shape], shape === 'stream'), []);
}

/** A chat call whose caller wants it to be a job. */
export function jobRequestBytes(destination: Destination): Buffer {
  return bytesOf(destination, chatBody(sizesBytes.chat, false), ['Prefer: respond-async']);
}

function bytesOf({ port, key }: Destination, body: string, more: readonly string[]): Buffer {
  const head = [
    'POST /v1/chat/completions HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'User-Agent: bench/1.0',
    'Accept: application/json',
    `Authorization: Bearer ${key}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    ...more,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`, 'latin1');
}

/** Precedes the time at which the upstream sent a token. Nothing else in an answer holds this character. */
export const STAMP_MARK = '@';
export const STAMP_DIGITS = 16;

/** Microseconds of the machine's monotonic clock: the same in every process. */
export function monotonicMicroseconds(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}
