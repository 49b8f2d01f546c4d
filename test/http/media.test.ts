/** No GPU server is ever led to an address: images of listed hosts are fetched here, all others refused. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { assertRefused, bearer, chat, type Reply, send } from './client.ts';

/** One pixel. */
const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

let upstream: TestUpstream;
let images: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  images = await startUpstream((request, response) => {
    if (request.url === '/away.png') response.writeHead(302, { location: 'http://127.0.0.1:9/x.png' }).end();
    else response.setHeader('content-type', 'image/png').end(Buffer.from(PNG, 'base64'));
  });
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'], upstream_model: 'inner' }],
      media: { allowed_hosts: [new URL(images.url).host] },
    },
  });
});

after(async () => {
  await gateway.stop();
  await images.stop();
  await upstream.stop();
});

const image = (url: unknown) => ({ type: 'image_url', image_url: { url } });
const withParts = (...content: unknown[]) => chat({ messages: [{ role: 'user', content }], seed: 1 });

test('an address elsewhere is refused, and nobody connects to it', async () => {
  const elsewhere = await startUpstream(answerAsAsked);
  const { port } = new URL(elsewhere.url);
  const urls = [
    `${elsewhere.url}/x.png`,
    `http://localhost:${port}/x.png`,
    `http://[::ffff:127.0.0.1]:${port}/x.png`,
    'http://169.254.169.254/latest/meta-data',
    'file:///etc/passwd',
    '/etc/passwd',
    'ftp://example.com/x.png',
    'DATA:image/png;base64,x',
  ];
  for (const url of urls) {
    const reply = await post(withParts({ type: 'text', text: 'What is it?' }, image(url)));
    const { param } = assertRefused(reply, 'remote_media_refused');
    assert.equal(param, 'messages[0].content[1].image_url.url');
  }
  assert.deepEqual([upstream.requests.length, elsewhere.requests.length], [0, 0]);
  await elsewhere.stop();
});

test('sound, video and files by address are refused even from a listed host', async () => {
  for (const field of ['audio_url', 'video_url', 'file_url']) {
    const part = { type: field, [field]: { url: `${images.url}/x.png` } };
    assertRefused(await post(withParts(part)), 'remote_media_refused');
  }
  assert.deepEqual([upstream.requests.length, images.requests.length], [0, 0]);
});

test('an image of a listed host is fetched and sent on within the request', async () => {
  const reply = await post(withParts(image(`${images.url}/cat.png`), { type: 'text', text: 'A cat?' }));
  assert.equal(reply.status, 200, reply.body.toString());
  assert.deepEqual(Object.keys(images.requests[0]?.headers ?? {}).includes('authorization'), false);
  const arrived = JSON.parse(upstream.requests.pop()?.body ?? '') as Record<string, unknown>;
  assert.deepEqual(arrived, {
    model: 'inner',
    messages: [
      { role: 'user', content: [image(`data:image/png;base64,${PNG}`), { type: 'text', text: 'A cat?' }] },
    ],
    seed: 1,
  });
});

test('a listed host that leads elsewhere is not followed there', async () => {
  assertRefused(await post(withParts(image(`${images.url}/away.png`))), 'remote_media_refused');
  assert.equal(upstream.requests.length, 0);
});

test('an image within the request is left alone', async () => {
  const body = withParts(image(`data:image/png;base64,${PNG}`));
  assert.equal((await post(body)).status, 200);
  assert.equal(upstream.requests.pop()?.body, body.replace('"public"', '"inner"'));
});

function post(body: string): Promise<Reply> {
  return send(gateway.url, '/v1/chat/completions', { headers: bearer(gateway.key), body });
}
