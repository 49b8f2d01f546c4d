import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../support/upstream.ts';

const folder = new URL('../fixtures/llama-server/', import.meta.url);
/** What the recorded server calls its model. */
const SERVED = 'tiny-random';

interface Sample {
  readonly name: string;
  readonly path: string;
  readonly body: string;
  readonly raw: Buffer;
  readonly status: number;
  readonly contentType: string;
  /** Without HTTP's own framing. */
  readonly answer: Buffer;
}

let upstream: RawUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startRawUpstream();
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'recorded', url: upstream.url }],
      models: [
        { name: SERVED, upstreams: ['recorded'], aliases: ['no-such'] },
        { name: 'public', upstreams: ['recorded'], upstream_model: SERVED },
      ],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

for (const sample of readSamples()) {
  for (const byteByByte of [false, true]) {
    test(`${sample.name}, ${byteByByte ? 'one byte at a time' : 'whole'}`, async () => {
      // Byte by byte only what is short enough for it to take moments.
      const limit = byteByByte ? 6_000 : Number.POSITIVE_INFINITY;
      if (sample.raw.length > limit) return;
      upstream.answer(sample.raw, { byteByByte });
      const { status, headers, bytes } = await send(sample.path, sample.body);
      if (sample.status >= 400) return checkError(sample, status, bytes);
      assert.equal(status, 200);
      const requested = (JSON.parse(sample.body) as { model: string }).model;
      const expected = sample.contentType.startsWith('text/event-stream')
        ? expectedStream(sample)
        : named(sample.answer.toString(), requested);
      assert.equal(bytes.toString(), expected);
      assert.equal(headers.get('server'), null);
    });

    test(`${sample.name} under another name, ${byteByByte ? 'one byte at a time' : 'whole'}`, async () => {
      if (sample.status >= 400 || (byteByByte && sample.raw.length > 6_000)) return;
      upstream.answer(sample.raw, { byteByByte });
      const body = sample.body.replace(/"model":"[^"]*"/, '"model":"public"');
      const { bytes } = await send(sample.path, body);
      const plain = sample.contentType.startsWith('text/event-stream')
        ? expectedStream(sample)
        : sample.answer.toString();
      assert.equal(bytes.toString(), named(plain, 'public'));
      assert.equal(bytes.includes(SERVED), false);
      assert.equal((JSON.parse(upstream.bodies.at(-1) ?? '') as { model: string }).model, SERVED);
    });
  }
}

test('a server that is killed in the middle of a stream ends it with an error event and without [DONE]', async () => {
  const raw = readFileSync(new URL('midstream-server-killed.raw', folder));
  for (const then of ['end', 'reset'] as const) {
    upstream.answer(raw, { then });
    const { status, bytes } = await send('/v1/chat/completions', chat({ stream: true }));
    const text = bytes.toString();
    assert.equal(status, 200);
    assert.equal(text.includes('[DONE]'), false);
    const last = text.trimEnd().split('\n\n').at(-1) ?? '';
    assert.match(
      last,
      /^data: \{"error":\{"message":"[^"]+","type":"server_error","param":null,"code":"upstream_error"\}\}$/,
    );
  }
});

async function send(path: string, body: string) {
  const answer = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' },
    body,
  });
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
}

function chat(fields: Record<string, unknown>): string {
  return JSON.stringify({ model: SERVED, messages: [{ role: 'user', content: 'Hello' }], ...fields });
}

/** The chunk with the usage is missing where the client did not ask for it: the gateway did. */
function expectedStream(sample: Sample): string {
  const { stream_options } = JSON.parse(sample.body) as { stream_options?: { include_usage?: boolean } };
  const text = sample.answer.toString();
  if (stream_options?.include_usage || !sample.path.endsWith('completions')) return text;
  const events = text.split(/(?<=\n\n)/);
  return events.filter((event) => !event.includes('"choices":[],')).join('');
}

/** The recorded server says its own name, whatever it was asked for. */
function named(text: string, name: string): string {
  return text.replaceAll(`"model":"${SERVED}"`, `"model":"${name}"`);
}

function checkError(sample: Sample, status: number, bytes: Buffer): void {
  const { error } = JSON.parse(bytes.toString()) as { error: Record<string, unknown> };
  assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type']);
  const expected: Record<string, [number, string]> = {
    'err-ctx-chat': [400, 'upstream_rejected'],
    'err-ctx-chat-stream': [400, 'upstream_rejected'],
    'err-ctx-embeddings': [400, 'context_length_exceeded'],
    'err-503-loading': [503, 'upstream_unavailable'],
    'err-badjson': [400, 'invalid_json'],
    'err-badtype': [400, 'invalid_value'],
    'err-nomessages': [400, 'missing_required_parameter'],
    'err-role': [400, 'invalid_value'],
  };
  assert.deepEqual([status, error.code], expected[sample.name] ?? [502, 'upstream_error']);
}

/** Every recorded call of a route that exists here. */
function readSamples(): Sample[] {
  const samples: Sample[] = [];
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.req'))) {
    const name = file.slice(0, -'.req'.length);
    const call = readFileSync(new URL(file, folder), 'utf8').trim();
    const [, path = '', body = ''] = /UPSTREAM(\S+)(?:.* -d (.*))?$/s.exec(call) ?? [];
    const isHere = /^\/v1\/(chat\/completions|completions|embeddings|responses)$/.test(path);
    if (!isHere || body === '') continue;
    const raw = readFileSync(new URL(`${name}.raw`, folder));
    const split = raw.indexOf('\r\n\r\n');
    const head = raw.subarray(0, split).toString();
    const payload = raw.subarray(split + 4);
    const answer = /transfer-encoding: chunked/i.test(head) ? dechunk(payload) : payload;
    samples.push({
      name,
      path,
      body,
      raw,
      answer,
      status: Number(head.split(' ')[1]),
      contentType: /content-type: (.*)/i.exec(head)?.[1] ?? '',
    });
  }
  assert.ok(samples.length > 20, 'the recorded samples are there');
  return samples;
}

function dechunk(payload: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = payload.indexOf('\r\n', at);
    const size = Number.parseInt(payload.subarray(at, lineEnd).toString(), 16);
    if (!size) return Buffer.concat(pieces);
    pieces.push(payload.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
