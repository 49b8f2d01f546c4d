/**
 * A GPU server that costs next to nothing: prepared answers over raw sockets, one request at a time on each
 * connection, and streams whose tokens carry the time at which they were sent. It understands what the
 * contestants send (bodies with Content-Length) and nothing more.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { MODEL, monotonicMicroseconds, STAMP_DIGITS, STAMP_MARK } from './requests.ts';

const TICK_MS = 1;
/** Longer bodies are counted, not read: streams are only asked for in short ones. */
const READ_BODY_BYTES_MAX = 16_384;

const created = 1_750_000_000;

const completion = JSON.stringify({
  id: 'chatcmpl-0123456789abcdef0123456789abcdef',
  object: 'chat.completion',
  created,
  model: MODEL,
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'It jumps over the dog because it can. '.repeat(6) },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: { prompt_tokens: 140, completion_tokens: 60, total_tokens: 200 },
});

const models = JSON.stringify({
  object: 'list',
  data: [{ id: MODEL, object: 'model', created, owned_by: 'bench', max_model_len: 1_000_000 }],
});

/** As a server says how busy it is, among the hundreds of lines that it says besides. */
const metrics = [
  `vllm:num_requests_running{model_name="${MODEL}"} 4.0`,
  `vllm:num_requests_waiting{model_name="${MODEL}"} 0.0`,
  ...Array.from(
    { length: 300 },
    (_, index) => `vllm:request_params_n_bucket{le="${index}.0",model_name="${MODEL}"} ${index}.0`,
  ),
  '',
].join('\n');

function answer(contentType: string, body: string): Buffer {
  const head = `HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\nserver: uvicorn\r\ncontent-length: ${body.length}\r\ncontent-type: ${contentType}\r\n\r\n`;
  return Buffer.from(head + body, 'latin1');
}

const completionAnswer = answer('application/json', completion);
const modelsAnswer = answer('application/json', models);
const metricsAnswer = answer('text/plain; version=0.0.4; charset=utf-8', metrics);
const emptyAnswer = answer('text/plain', '');
const refusal = Buffer.from('HTTP/1.1 411 Length Required\r\ncontent-length: 0\r\n\r\n');

// X-Accel-Buffering makes nginx pass each piece on at once and leaves its defaults alone for everything else.
const streamHead = Buffer.from(
  'HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\nserver: uvicorn\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-accel-buffering: no\r\ntransfer-encoding: chunked\r\n\r\n',
);

const tokenTemplate = chunk(
  `data: {"id":"chatcmpl-0123456789abcdef0123456789abcdef","object":"chat.completion.chunk","created":${created},"model":"${MODEL}","choices":[{"index":0,"delta":{"content":"${STAMP_MARK}${'0'.repeat(STAMP_DIGITS)}"},"logprobs":null,"finish_reason":null}]}\n\n`,
);
const stampOffset = tokenTemplate.indexOf(STAMP_MARK) + 1;

function chunk(data: string): Buffer {
  return Buffer.from(`${data.length.toString(16)}\r\n${data}\r\n`, 'latin1');
}

function stampedToken(): Buffer {
  const token = Buffer.from(tokenTemplate);
  token.write(String(monotonicMicroseconds()).padStart(STAMP_DIGITS, '0'), stampOffset, 'latin1');
  return token;
}

/** One timer feeds all streams in turn, so that the tokens of many streams do not come in one burst. */
function createPacer() {
  const streams: Socket[] = [];
  let tokensPerSecond = 1;
  let timer: NodeJS.Timeout | undefined;
  let tickedAt = 0;
  let due = 0;
  let next = 0;

  const tick = () => {
    const now = performance.now();
    due += ((now - tickedAt) / 1_000) * tokensPerSecond * streams.length;
    tickedAt = now;
    for (; due >= 1; due -= 1) {
      next = next + 1 < streams.length ? next + 1 : 0;
      streams[next]?.write(stampedToken());
    }
  };

  return {
    count: () => streams.length,
    /** Of each stream. */
    setRate(rate: number) {
      tokensPerSecond = rate;
    },
    add(socket: Socket) {
      socket.write(Buffer.concat([streamHead, stampedToken()]));
      streams.push(socket);
      if (timer) return;
      tickedAt = performance.now();
      due = 0;
      timer = setInterval(tick, TICK_MS);
    },
    remove(socket: Socket) {
      const index = streams.indexOf(socket);
      if (index === -1) return;
      streams.splice(index, 1);
      if (streams.length > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
  };
}

const pacer = createPacer();

function respond(socket: Socket, head: string, body: string): void {
  if (head.startsWith('POST')) {
    if (body.includes('"stream":true')) pacer.add(socket);
    else socket.write(completionAnswer);
    return;
  }
  if (head.startsWith('GET /metrics')) socket.write(metricsAnswer);
  else socket.write(head.startsWith('GET /v1/models') ? modelsAnswer : emptyAnswer);
}

function serve(socket: Socket): void {
  let pending: Buffer | undefined;
  let uncountedBytes = 0;
  let longHead = '';
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => pacer.remove(socket));
  socket.on('data', (piece: Buffer) => {
    if (uncountedBytes > 0) {
      uncountedBytes -= piece.length;
      if (uncountedBytes <= 0) respond(socket, longHead, '');
      return;
    }
    const bytes = pending ? Buffer.concat([pending, piece]) : piece;
    pending = bytes;
    const headEnd = bytes.indexOf('\r\n\r\n');
    if (headEnd === -1) return;
    const head = bytes.toString('latin1', 0, headEnd);
    if (/\r\ntransfer-encoding:/i.test(head)) {
      socket.end(refusal);
      return;
    }
    const bodyBytes = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    const missing = headEnd + 4 + bodyBytes - bytes.length;
    if (missing <= 0) {
      pending = undefined;
      respond(socket, head, bodyBytes > READ_BODY_BYTES_MAX ? '' : bytes.toString('latin1', headEnd + 4));
    } else if (bodyBytes > READ_BODY_BYTES_MAX) {
      pending = undefined;
      uncountedBytes = missing;
      longHead = head;
    }
  });
}

/** Asked before each load: the new rate, and how many streams the last one has left behind. */
export interface PaceRequest {
  readonly tokensPerSecond: number;
}

const server = createServer({ noDelay: true }, serve);
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on('message', ({ tokensPerSecond }: PaceRequest) => {
  pacer.setRate(tokensPerSecond);
  process.send?.({ openStreams: pacer.count() });
});
process.on('disconnect', () => process.exit(0));
