import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { configSchema } from '../../src/config/schema.ts';
import { findRemoteMedia, inlineRemoteMedia, type MediaOptions } from '../../src/upstream/media.ts';

const png = Buffer.from('89504e470d0a1a0a', 'hex');
const inlined = `data:image/png;base64,${png.toString('base64')}`;

async function listen(handler: RequestListener) {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** Counts what reaches it; nothing may. */
let insideConnections = 0;
const inside = await listen((_request, response) =>
  response.writeHead(200, { 'content-type': 'image/png' }).end(png),
);
inside.server.on('connection', () => {
  insideConnections += 1;
});

let requests = 0;
const seenHeaders: (string | undefined)[] = [];
const pages: Record<string, RequestListener> = {
  '/cat.png': (request, response) => {
    seenHeaders.push(request.headers.authorization, request.headers.cookie);
    response.writeHead(200, { 'content-type': 'Image/PNG; q=1' }).end(png);
  },
  '/page': (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
  '/absent': (_request, response) => response.writeHead(404, { 'content-type': 'image/png' }).end(png),
  '/announced': (_request, response) =>
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': '999999999' }).write(png),
  '/endless': (_request, response) => {
    response.writeHead(200, { 'content-type': 'image/png' });
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', more);
    more();
  },
  '/silent': () => {},
  '/slow': (_request, response) => response.writeHead(200, { 'content-type': 'image/png' }).write(png),
  '/cut': (_request, response) => {
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': '100' });
    response.write(png, () => response.destroy());
  },
  '/bomb': (_request, response) =>
    response
      .writeHead(200, { 'content-type': 'image/png', 'content-encoding': 'gzip' })
      .end(gzipSync(Buffer.alloc(1_000_000))),
  '/moved': (_request, response) => response.writeHead(302, { location: '/cat.png' }).end(),
  '/loop': (_request, response) => response.writeHead(302, { location: '/loop' }).end(),
  '/nowhere': (_request, response) => response.writeHead(302).end(),
  '/inside': (_request, response) =>
    response.writeHead(302, { location: `http://127.0.0.1:${inside.port}/cat.png` }).end(),
  '/inside-name': (_request, response) =>
    response.writeHead(302, { location: `http://internal.example:${inside.port}/cat.png` }).end(),
  '/file': (_request, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
};
const images = await listen((request, response) => {
  requests += 1;
  const page = pages[request.url?.split('?')[0] ?? ''];
  if (page) page(request, response);
  else response.writeHead(404).end();
});
const base = `http://127.0.0.1:${images.port}`;

interface Setup {
  media?: Partial<MediaOptions>;
  resolve?: LookupFunction;
  signal?: AbortSignal;
}

async function inline(urls: string[], { media, resolve, signal }: Setup = {}) {
  const body = { messages: [{ content: urls.map((url) => ({ image_url: { url } })) }] };
  const options: MediaOptions = {
    ...configSchema.shape.media.parse({}),
    allowed_hosts: [`127.0.0.1:${images.port}`],
    fetch_limit_bytes: 100_000,
    ...media,
    ...(resolve && { resolve }),
  };
  const refused = await inlineRemoteMedia(
    findRemoteMedia(body),
    options,
    signal ?? new AbortController().signal,
  );
  return { refused, urls: body.messages[0]?.content.map(({ image_url }) => image_url.url) };
}

async function refusalOf(url: string, setup?: Setup) {
  const { refused, urls } = await inline([url], setup);
  assert.equal(refused?.name, 'remote_media_refused');
  assert.equal(refused.status, 400);
  assert.equal(refused.param, 'messages[0].content[0].image_url.url');
  assert.deepEqual(urls, [url]);
  return refused;
}

test('an image of a listed host is put into the request, without headers of the caller', async () => {
  const { refused, urls } = await inline([`${base}/cat.png`, 'data:image/gif;base64,aGk=']);
  assert.equal(refused, undefined);
  assert.deepEqual(urls, [inlined, 'data:image/gif;base64,aGk=']);
  assert.deepEqual(seenHeaders, [undefined, undefined]);
});

test('equal addresses are fetched once, and different ones are counted', async () => {
  requests = 0;
  const cat = `${base}/cat.png`;
  const media = { fetch_count_max: 2 };
  assert.deepEqual((await inline([cat, cat, cat], { media })).urls, [inlined, inlined, inlined]);
  assert.equal(requests, 1);
  const three = await inline([`${cat}?1`, `${cat}?2`, `${cat}?3`], { media });
  assert.match(three.refused?.message ?? '', /3 images .* at most 2/);
  assert.equal(requests, 1);
});

test('an unlisted host, another port, another scheme and credentials are refused without a connection', async () => {
  requests = 0;
  for (const url of [
    `http://127.0.0.1:${inside.port}/cat.png`,
    `http://localhost:${images.port}/cat.png`,
    `http://127.0.0.1/cat.png`,
    `https://images.example.com/cat.png`,
    `http://me:secret@127.0.0.1:${images.port}/cat.png`,
    'http://169.254.169.254/latest/meta-data',
    'http://[::ffff:127.0.0.1]/',
    'file:///etc/passwd',
    'ftp://127.0.0.1/cat.png',
    '/etc/passwd.png',
    'javascript:0',
  ]) {
    await refusalOf(url);
  }
  assert.equal(requests, 0);
  assert.equal(insideConnections, 0);
});

test('video, audio and files are not fetched even from a listed host', async () => {
  requests = 0;
  for (const part of [{ video_url: base }, { audio_url: { url: base } }, { file: { file_url: base } }]) {
    const references = findRemoteMedia({ messages: [{ content: [part] }] });
    const media = { ...configSchema.shape.media.parse({}), allowed_hosts: [`127.0.0.1:${images.port}`] };
    const refused = await inlineRemoteMedia(references, media, new AbortController().signal);
    assert.match(refused?.message ?? '', /Only images/);
  }
  assert.equal(requests, 0);
});

test('one refused address fetches none of the others', async () => {
  requests = 0;
  const { refused } = await inline([`${base}/cat.png`, 'http://elsewhere.example/cat.png']);
  assert.equal(refused?.param, 'messages[0].content[1].image_url.url');
  assert.equal(requests, 0);
});

test('redirects are followed to listed hosts alone, and three at most', async () => {
  assert.deepEqual((await inline([`${base}/moved`])).urls, [inlined]);
  assert.match((await refusalOf(`${base}/inside`)).message, /not on the list/);
  assert.match((await refusalOf(`${base}/file`)).message, /file:/);
  assert.match((await refusalOf(`${base}/nowhere`)).message, /nowhere/);
  requests = 0;
  assert.match((await refusalOf(`${base}/loop`)).message, /too often/);
  assert.equal(requests, 4);
  assert.equal(insideConnections, 0);
});

test('a listed name that leads inside is refused at the connection, whatever DNS says before', async () => {
  const name = 'internal.example';
  const allowed_hosts = [`${name}:${inside.port}`, `127.0.0.1:${images.port}`];
  let asked = 0;
  const resolvers: LookupFunction[] = [
    (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
    (_host, _options, done) => done(null, [{ address: '::ffff:127.0.0.1', family: 6 }]),
    (_host, _options, done) =>
      done(null, [
        { address: '93.184.216.34', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]),
  ];
  for (const resolve of resolvers) {
    const counted: LookupFunction = (host, options, done) => {
      asked += 1;
      resolve(host, options, done);
    };
    for (const url of [`http://${name}:${inside.port}/cat.png`, `${base}/inside-name`]) {
      const refused = await refusalOf(url, { media: { allowed_hosts }, resolve: counted });
      assert.match(refused.message, /no public address/);
    }
  }
  assert.equal(asked, 6, 'the address that is checked is the one that the connection asked for');
  assert.equal(insideConnections, 0);
});

test('localhost is reached only when the list says localhost', async () => {
  const allowed_hosts = [`localhost:${images.port}`];
  const resolve: LookupFunction = (_host, _options, done) =>
    done(null, [{ address: '127.0.0.1', family: 4 }]);
  const url = `http://localhost:${images.port}/cat.png`;
  assert.deepEqual((await inline([url], { media: { allowed_hosts }, resolve })).urls, [inlined]);
  await refusalOf(url);
  await refusalOf(`http://sub.localhost:${images.port}/cat.png`, { media: { allowed_hosts }, resolve });
});

test('a wrong type, an error page, a compressed body and a body that breaks off are refused', async () => {
  assert.match((await refusalOf(`${base}/page`)).message, /not lead to an image/);
  assert.match((await refusalOf(`${base}/absent`)).message, /404/);
  assert.match((await refusalOf(`${base}/bomb`)).message, /compressed/);
  const cut = await refusalOf(`${base}/cut?signature=hunter2`);
  assert.match(cut.message, /could not be fetched/);
  assert.ok(!`${cut.message} ${cut.reason}`.includes('hunter2'));
});

test('bytes are bounded for all images together, announced or not', async () => {
  assert.match((await refusalOf(`${base}/announced`)).message, /too large/);
  assert.match((await refusalOf(`${base}/endless`)).message, /too large/);
  const two = [`${base}/cat.png?1`, `${base}/cat.png?2`];
  const media = (bytes: number) => ({ media: { fetch_limit_bytes: bytes } });
  assert.match((await inline(two, media(png.length * 2 - 1))).refused?.message ?? '', /too large/);
  assert.equal((await inline(two, media(png.length * 2))).refused, undefined);
});

test('a host that does not answer, or not to the end, is given up in time', async () => {
  const media = { fetch_timeout_ms: 200 };
  const begun = performance.now();
  assert.match((await refusalOf(`${base}/silent`, { media })).message, /in time/);
  assert.match((await refusalOf(`${base}/slow`, { media })).message, /in time/);
  assert.ok(performance.now() - begun < 3_000);
});

test('a caller who leaves ends the fetch', async () => {
  const caller = new AbortController();
  const arrived = once(images.server, 'request');
  const waiting = inline([`${base}/silent`], { signal: caller.signal });
  const [request] = await arrived;
  const closed = once(request.socket, 'close');
  caller.abort();
  assert.equal((await waiting).refused?.name, 'remote_media_refused');
  await closed;
});
