import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let redis: TestRedis;
let open: TestGateway;
let closed: TestGateway;
before(async () => {
  redis = await startRedis();
  const shared = { redis, makeKey: false };
  [open, closed] = await Promise.all([
    startGateway({ ...shared, config: { listen: { docs: true } } }),
    startGateway(shared),
  ]);
});
after(async () => {
  await Promise.all([open.stop(), closed.stop()]);
  await redis.stop();
});

const withoutKey = (address: string) => fetch(address);

test('the public listener has no document unless the configuration wants it there', async () => {
  for (const path of ['/docs', '/openapi.json', '/docs/page.js']) {
    assert.equal((await withoutKey(closed.url + path)).status, 404, path);
    assert.equal((await withoutKey(open.url + path)).status, 200, path);
  }
});

test('the public listener never shows the admin API', async () => {
  const text = await (await withoutKey(`${open.url}/openapi.json`)).text();
  assert.doesNotMatch(text, /\/admin/);
  assert.equal((await withoutKey(`${open.url}/openapi-public.json`)).status, 404);
  assert.equal((await withoutKey(`${open.url}/docs/public`)).status, 404);
});

test('the admin listener always has the documents of both', async () => {
  for (const [path, title] of [
    ['/docs', 'admin API'],
    ['/docs/public', 'public API'],
  ] as const) {
    const page = await withoutKey(closed.adminUrl + path);
    assert.match(await page.text(), new RegExp(`<title>Sluice: ${title}</title>`));
  }
});

test('a page loads nothing from elsewhere, and has no script within it', async () => {
  for (const address of [`${open.url}/docs`, `${open.adminUrl}/docs`, `${open.adminUrl}/docs/public`]) {
    const page = await withoutKey(address);
    const policy = page.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'; script-src 'self';/);
    assert.doesNotMatch(policy, /https?:|unsafe-/);
    const html = await page.text();
    assert.doesNotMatch(html, /<script(?! src="\/docs\/)|https?:/);
    const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part = '']) => part);
    assert.ok(parts.length >= 4);
    for (const part of parts.filter((one) => one.startsWith('/'))) {
      const answer = await withoutKey(new URL(part, address).href);
      assert.equal(answer.status, 200, part);
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
      await answer.arrayBuffer();
    }
  }
});

test('of the files of the page only its own parts are handed out', async () => {
  for (const part of ['..%2f..%2fapp.ts', 'page-parts.ts', '__proto__', 'constructor']) {
    for (const url of [open.url, open.adminUrl]) {
      assert.equal((await withoutKey(`${url}/docs/${part}`)).status, 404, part);
    }
  }
});
