/** Of a request body only what has to change is changed; all other bytes arrive as they were sent. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { bearer, chat, send } from './client.ts';

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [
        { name: 'm', upstreams: ['gpu'], upstream_model: '/a/very long/path', aliases: ['x"y\\z'] },
        { name: 'same', upstreams: ['gpu'] },
      ],
      default_model: 'm',
      jobs: { oversize: { tokens: false, bytes: false } },
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

const path = '"/a/very long/path"';
const messages = '"messages":[{"role":"user","content":"Hello \\"model\\": \\u20ac €"}]';
const usage = '"stream_options":{"include_usage":true}';

const cases: [title: string, sent: string, arrives: string][] = [
  ['the name first', `{"model":"m",${messages}}`, `{"model":${path},${messages}}`],
  ['the name last', `{${messages},"model":"m"}`, `{${messages},"model":${path}}`],
  ['the name in the middle', `{"n":1,"model":"m",${messages}}`, `{"n":1,"model":${path},${messages}}`],
  ['no name', `{${messages}}`, `{"model":${path},${messages}}`],
  ['no name, spaces in front', ` \n\t{ ${messages}}`, ` \n\t{"model":${path}, ${messages}}`],
  ['a name that is null', `{"model":null,${messages}}`, `{"model":${path},${messages}}`],
  ['an escaped member', `{"mod\\u0065l":"m",${messages}}`, `{"mod\\u0065l":${path},${messages}}`],
  ['an escaped name', `{"model":"\\u006d",${messages}}`, `{"model":${path},${messages}}`],
  ['a name with quotes', `{"model":"x\\"y\\\\z",${messages}}`, `{"model":${path},${messages}}`],
  [
    'white space everywhere',
    `\r\n{\t"model" :\r\n "m" , ${messages} , "seed" : 7 }\n`,
    `\r\n{\t"model" :\r\n ${path} , ${messages} , "seed" : 7 }\n`,
  ],
  [
    'members of that name further inside',
    `{${messages},"metadata":{"model":"m","a":[{"model":"m"}]},"model":"m"}`,
    `{${messages},"metadata":{"model":"m","a":[{"model":"m"}]},"model":${path}}`,
  ],
  [
    'numbers that do not survive parsing',
    `{"model":"m",${messages},"seed":7,"x":[1e400,0.1000000000000000055,-0,12345678901234567890,1.0]}`,
    `{"model":${path},${messages},"seed":7,"x":[1e400,0.1000000000000000055,-0,12345678901234567890,1.0]}`,
  ],
  [
    'members that repeat further inside, and lone surrogates',
    `{"model":"m",${messages},"metadata":{"a":1,"a":2,"b":"\\ud800"}}`,
    `{"model":${path},${messages},"metadata":{"a":1,"a":2,"b":"\\ud800"}}`,
  ],
  ['nothing to change', ` { "model":"same",${messages}}\n`, ` { "model":"same",${messages}}\n`],
  [
    'a stream without options',
    `{"model":"same",${messages},"stream":true}`,
    `{${usage},"model":"same",${messages},"stream":true}`,
  ],
  [
    'a stream without options or name',
    `{${messages},"stream":true}`,
    `{"model":${path},${usage},${messages},"stream":true}`,
  ],
  [
    'options that are null',
    `{"model":"same",${messages},"stream":true,"stream_options":null}`,
    `{"model":"same",${messages},"stream":true,${usage}}`,
  ],
  [
    'options that say no',
    `{"stream_options":{"include_usage":false,"continuous_usage_stats":true},"model":"m",${messages},"stream":true}`,
    `{"stream_options":{"include_usage":true,"continuous_usage_stats":true},"model":${path},${messages},"stream":true}`,
  ],
  [
    'options that say yes',
    `{"model":"same",${messages},"stream":true,"stream_options": { "include_usage" : true } }`,
    `{"model":"same",${messages},"stream":true,"stream_options": { "include_usage" : true } }`,
  ],
  [
    'no stream, but options',
    `{"model":"same",${messages},"stream":false,"stream_options":{"include_usage":false}}`,
    `{"model":"same",${messages},"stream":false,"stream_options":{"include_usage":false}}`,
  ],
];

for (const [title, sent, arrives] of cases) {
  for (const chunkBytes of [undefined, 1]) {
    test(`${title}${chunkBytes ? ', byte by byte' : ''}`, async () => {
      assert.equal(await arrivedOf(sent, chunkBytes), arrives);
    });
  }
}

test('nothing but a name in an operation that needs nothing else', async () => {
  assert.equal(await arrivedOf('{}', undefined, '/v1/score'), `{"model":${path}}`);
  assert.equal(await arrivedOf(' { } ', undefined, '/v1/score'), ` {"model":${path} } `);
});

test('a body of 15 MB arrives unchanged but for the name, wherever that stands', async () => {
  const line = 'Привет, "model":"m" 世界 \\ \u{1f600} \n';
  const content = JSON.stringify(line.repeat(350_000));
  const long = `"messages":[{"role":"user","content":${content}}]`;
  assert.ok(Buffer.byteLength(long) > 15_000_000);
  for (const chunkBytes of [undefined, 65_521]) {
    assert.ok((await arrivedOf(`{"model":"m",${long}}`, chunkBytes)) === `{"model":${path},${long}}`);
    assert.ok((await arrivedOf(`{${long},"model":"m"}`, chunkBytes)) === `{${long},"model":${path}}`);
    assert.ok((await arrivedOf(`{${long}}`, chunkBytes)) === `{"model":${path},${long}}`);
  }
});

test('images within the request pass byte for byte', async () => {
  const url = `data:image/png;base64,${Buffer.alloc(300_000, 7).toString('base64')}`;
  const image = { role: 'user', content: [{ type: 'image_url', image_url: { url, detail: 'low' } }] };
  const body = chat({ model: 'same', messages: [image] });
  assert.ok((await arrivedOf(body)) === body);
});

async function arrivedOf(
  body: string,
  chunkBytes?: number,
  target = '/v1/chat/completions',
): Promise<string> {
  const headers = bearer(gateway.key);
  const reply = await send(gateway.url, target, { headers, body, ...(chunkBytes && { chunkBytes }) });
  assert.equal(reply.status, 200, reply.body.toString().slice(0, 300));
  const { body: arrived = '', headers: received } = upstream.requests.pop() ?? {};
  assert.equal(received?.['content-length'], String(Buffer.byteLength(arrived)));
  return arrived;
}
