/** Pieces short and long, many of them in one turn of the loop: the same bytes come out in the same order. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type RawUpstream, startRawUpstream } from '../support/upstream.ts';
import { pick, seeded } from './support/splits.ts';

let upstream: RawUpstream;
let gateway: TestGateway;
before(async () => {
  upstream = await startRawUpstream();
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'raw', url: upstream.url }],
      models: [{ name: 'm', upstreams: ['raw'] }],
      routes: [{ path: '/predict', upstream: 'raw' }],
    },
  });
});
after(async () => {
  await gateway.stop();
  await upstream.stop();
});

const SIZES = [1, 20, 300, 16_000, 16_400, 40_000, 90_000] as const;
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

async function send(path: string): Promise<string> {
  const answer = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'Hello' }] }),
  });
  return answer.text();
}

function head(type: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`;
}

for (const [path, type, piece] of [
  ['/v1/chat/completions', 'text/event-stream', (size: number) => `data: {"a":"${'ä'.repeat(size)}"}\n\n`],
  ['/predict', 'text/plain', (size: number) => `${size}${'ä'.repeat(size)}`],
  ['/v1/chat/completions', 'application/json', undefined],
] as const) {
  test(`${path} as ${type}`, async () => {
    const random = seeded(7);
    for (let round = 0; round < 40; round += 1) {
      const sizes = Array.from({ length: 8 }, () => pick(random, SIZES));
      const pieces = piece
        ? [...sizes.map(piece), type === 'text/plain' ? 'end' : 'data: [DONE]\n\n']
        : ['{"a":["', ...sizes.map((size) => 'ä'.repeat(size)), '"]', ',"b":1}'];
      upstream.answer(Buffer.from(`${head(type)}${pieces.map(chunk).join('')}0\r\n\r\n`));
      const expected = pieces.join('');
      const got = await send(path);
      assert.ok(got === expected, `round ${round}, ${sizes}: ${got.length} of ${expected.length} characters`);
    }
  });
}
